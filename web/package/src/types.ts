/** What a face is, in the names of Python's JSON (docs/results.md). */

import { emotion, expression, schema, types } from "./constants";
import { mean, type Box, type Point, type Square } from "./geometry";
import type { Covariance } from "./uncertainty";

export interface HeadPose {
  /** Degrees; positive where the subject turns to their left, the right of the image. */
  yaw: number;
  /** Degrees; positive where the subject looks up. */
  pitch: number;
  /** Degrees; positive where the head is tilted clockwise as seen in the image. */
  roll: number;
  /** From the camera to the middle of the eyes: x right, y down, z ahead, in eye distances. */
  translation: [x: number, y: number, z: number];
  /** Root mean square distance between points and projected head model, in eye distances. */
  reprojection_error: number;
}

export type SignalName = (typeof expression.SIGNALS)[number];
/** Expression signals by name: gaps and heights in the person's outer-eye distances. */
export type Signals = Record<SignalName, number>;

export type EmotionName = (typeof emotion.EMOTIONS)[number];
/** The probability of each emotion by name; their sum is 1. */
export type Emotions = Record<EmotionName, number>;

/** Where an eye looks, in the frame of the head: both angles are 0 straight out of it. */
export interface EyeGaze {
  /** Degrees; positive to the subject's left, the right of the image. */
  yaw: number;
  /** Degrees; positive upwards. */
  pitch: number;
  /** Degrees; one standard deviation along an axis, as far as it comes from the pupils. */
  sigma: number;
}

/** Where both eyes look together, and each of them, null where it is closed or hidden. */
export interface Gaze extends EyeGaze {
  right_eye: EyeGaze | null;
  left_eye: EyeGaze | null;
}

export interface Face {
  /** The network's confidence in [0, 1] that this is a face and the points lie on it. */
  score: number;
  /** The detected box, tight around the points, in pixels. */
  box: Box;
  /** `[x, y]` in pixels; (0, 0) is the center of the top-left pixel. */
  points: Point[];
  /** One standard deviation of each point along an axis, in pixels. */
  sigma: number[];
  /** `[xx, xy, yy]` of each point's error, in square pixels. */
  covariance: Covariance[];
  /** The probability that each point is within 5 % of the eye distance of its label. */
  confidence: number[];
  /** The name of the schema, which says what the points mean. */
  schema: string;
  /** The detector's confidence in [0, 1]. */
  detection_score?: number;
  /** Constant for a face from frame to frame of a video. */
  track_id?: number;
  pose?: HeadPose;
  signals?: Signals;
  emotions?: Emotions;
  /**
   * The probability that each point is not hidden; as the next ones, only from networks that predict
   * it.
   */
  visibility?: number[];
  /** The subject's right pupil, then the left one, in pixels. */
  pupils?: Point[];
  /** As `covariance`. */
  pupils_covariance?: Covariance[];
  /** Where the eyes look, where the network finds pupils and one of them can be read. */
  gaze?: Gaze;
}

/** Whether something likely hides a point of a face; false where the network does not tell. */
export function isHidden({ visibility }: Face, point: number): boolean {
  return visibility !== undefined && visibility[point] < types.VISIBLE;
}

/** Whether the points of a region are mostly hidden; false where the network does not tell. */
export function isRegionHidden({ visibility }: Face, region: keyof typeof schema.regions): boolean {
  if (!visibility) return false;
  return !(mean(schema.regions[region].map((i) => visibility[i])) >= types.VISIBLE);
}

/** The meaning of the points; left and right are the subject's own. */
export interface KeypointSchema {
  readonly name: string;
  readonly names: readonly string[];
  /** Region name to the indices of its points. */
  readonly regions: Readonly<Record<string, readonly number[]>>;
  /** Point `i` of a face becomes point `flip[i]` of its mirror image. */
  readonly flip: readonly number[];
  /** Pairs of indices to join when a face is drawn. */
  readonly edges: readonly (readonly [number, number])[];
}

/** What a detector found: a tight box and, where the tilt is known, a tilted square. */
export interface Detection {
  box: Box;
  score: number;
  square: Square | null;
}
