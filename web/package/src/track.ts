/** Tracks and observations of faces, by position, motion and appearance: Python's `track.py`. */

import { track } from "./constants";
import { boxArea, boxCenter, boxIou, clip, mean, median, tightBox } from "./geometry";
import type { Box, Point } from "./geometry";
import { cutImage, toRgb, type Image } from "./image";
import { FaceSmoother } from "./smoothing";
import type { Face } from "./types";
import { sigmaOf } from "./uncertainty";
import { resizeImage } from "./warp";

type Vector = readonly number[];

/**
 * A unit vector that describes a face, independent of brightness: a log-color thumbnail, enough to
 * tell two faces of one scene apart, not to recognize anybody.
 */
export function appearance(image: Image, points: readonly Point[]): Vector {
  const [x0, y0, x1, y1] = tightBox(points);
  const left = Math.trunc(clip(x0, 0, image.width - 1));
  const top = Math.trunc(clip(y0, 0, image.height - 1));
  const right = Math.trunc(clip(x1 + 1, left + 1, image.width));
  const bottom = Math.trunc(clip(y1 + 1, top + 1, image.height));
  const face = cutImage(image, left, top, right, bottom);
  const thumbnail = resizeImage(face, track.THUMBNAIL_SIDE, track.THUMBNAIL_SIDE);
  const logarithms = Array.from(toRgb(thumbnail), (value) => Math.log(value + track.DARK));
  const middle = mean(logarithms);
  return unit(logarithms.map((value) => value - middle));
}

function unit(vector: Vector): Vector {
  const length = Math.max(Math.hypot(...vector), 1e-6);
  return vector.map((value) => value / length);
}

/** A face in the current frame. */
export class Observation {
  /** IDs of the tracks from whose last points it was predicted; none where the detector found it. */
  sources = new Set<number>();
  /** The detector's score; null where it did not run or missed the face. */
  detectionScore: number | null = null;
  /** Consecutive detector runs that missed it. */
  missedDetections = 0;
  /** Frames for which a doubtful face need not be checked again. */
  patience = 0;
  /** Around the points. */
  readonly tightBox: Box;
  /** Square root of that box's area, in pixels. */
  readonly size: number;
  /** Median sigma in sizes. */
  readonly relativeSigma: number;
  private look: Vector | null = null;

  constructor(readonly face: Face) {
    this.tightBox = tightBox(face.points);
    this.size = Math.max(1e-6, Math.sqrt(boxArea(this.tightBox)));
    this.relativeSigma = median(face.sigma) / this.size;
  }

  /** See {@link appearance}; `image` is the frame of this observation. */
  appearance(image: Image): Vector {
    return (this.look ??= appearance(image, this.face.points));
  }

  get center(): Point {
    return boxCenter(this.tightBox);
  }

  /** Whether the network is as certain as on most faces. */
  get confident(): boolean {
    return this.face.score >= track.CONFIDENT_SCORE;
  }

  /** Whether it is only taken for a known face that the detector confirms. */
  get weak(): boolean {
    return this.face.score < track.LOST_SCORE;
  }

  /** Whether the detector has missed it too often for what the network says. */
  get refuted(): boolean {
    const allowed = this.weak ? 1 : track.MAX_MISSED;
    return this.missedDetections >= allowed && !this.confident;
  }

  /** Whether the network sees a face that overlaps its input and lies mostly in the image. */
  plausible({ width, height }: Image): boolean {
    const [x0, y0, x1, y1] = this.tightBox;
    const wide = Math.min(x1, width - 0.5) - Math.max(x0, -0.5);
    const high = Math.min(y1, height - 0.5) - Math.max(y0, -0.5);
    const inside = Math.min(wide, high) >= 0 && wide * high >= 0.5 * this.size ** 2;
    const visible = this.face.score >= track.HIDDEN_SCORE;
    return visible && inside && boxIou(this.tightBox, this.face.box) >= track.MIN_IOU;
  }
}

/** One observation per face, the one with the least sigma, with the source tracks of all. */
export function removeDuplicates(observations: readonly Observation[]): Observation[] {
  const kept: Observation[] = [];
  for (const one of [...observations].sort((a, b) => a.relativeSigma - b.relativeSigma)) {
    const twin = kept.find((other) => isDuplicate(one, other));
    if (!twin) kept.push(one);
    else {
      one.sources.forEach((id) => twin.sources.add(id));
      twin.patience = Math.max(twin.patience, one.patience);
    }
  }
  return kept;
}

function isDuplicate(one: Observation, other: Observation): boolean {
  const distances = one.face.points.map(([x, y], i) => {
    const [u, v] = other.face.points[i];
    return Math.hypot(x - u, y - v);
  });
  return mean(distances) / Math.min(one.size, other.size) <= track.DUPLICATE_DISTANCE;
}

/** One face through the video. */
export class Track {
  /** Whether it is in the current frame. */
  visible = true;
  private velocity: Point = [0, 0];
  private displaced = false;
  private appearanceAge = 0;
  private appearance: Vector;
  private detectionScore: number;
  private smoother: FaceSmoother | null;

  /** `time`: of the last observation, in seconds; `smooth`: whether to smooth the points. */
  constructor(
    readonly id: number,
    public last: Observation,
    image: Image,
    public time: number,
    smooth: boolean,
  ) {
    this.appearance = last.appearance(image);
    this.detectionScore = last.detectionScore ?? 0;
    this.smoother = smooth ? new FaceSmoother() : null;
  }

  /** Expect the face anywhere, as after a change of the frame's size; smoothing restarts. */
  displace(): void {
    this.visible = false;
    this.displaced = true;
    this.velocity = [0, 0];
    this.smoother &&= new FaceSmoother();
  }

  /** Center of the tight box at constant velocity. */
  private expectedCenter(now: number): Point {
    const [[x, y], step] = [this.last.center, now - this.time];
    return [x + this.velocity[0] * step, y + this.velocity[1] * step];
  }

  /** Tight box at constant velocity. */
  expectedBox(now: number): Box {
    const [[x0, y0, x1, y1], step] = [this.last.tightBox, now - this.time];
    const [x, y] = [this.velocity[0] * step, this.velocity[1] * step];
    return [x0 + x, y0 + y, x1 + x, y1 + y];
  }

  /** Distance in position; infinite where it cannot be this face. */
  positionCost(candidate: Observation, now: number): number {
    if (this.displaced) return 0;
    const [[x, y], [u, v]] = [candidate.center, this.expectedCenter(now)];
    const offset = Math.hypot(x - u, y - v) / this.last.size;
    const reach = this.visible ? 0 : track.MAX_OFFSET_PER_SECOND * (now - this.time);
    return offset <= track.MAX_OFFSET + reach ? offset / (1 + reach) : Infinity;
  }

  /** Distance in appearance; infinite where a hidden face must be another one. */
  appearanceCost(candidate: Observation, image: Image): number {
    const look = candidate.appearance(image);
    const difference = 1 - look.reduce((total, value, i) => total + value * this.appearance[i], 0);
    const changed = !this.visible && difference > track.MAX_APPEARANCE_COST;
    return changed ? Infinity : difference;
  }

  /** Continue with an observation; near another face, velocity and appearance stay. */
  update(observation: Observation, image: Image, now: number, isolated: boolean): void {
    const step = now - this.time;
    this.appearanceAge++;
    if (isolated && this.visible && step > 0) {
      const [[x, y], [u, v]] = [observation.center, this.last.center];
      this.velocity[0] += track.VELOCITY_RATE * ((x - u) / step - this.velocity[0]);
      this.velocity[1] += track.VELOCITY_RATE * ((y - v) / step - this.velocity[1]);
    }
    const due = isolated && this.appearanceAge >= track.APPEARANCE_EVERY;
    if (due && observation.relativeSigma <= this.last.relativeSigma * 2) {
      const look = observation.appearance(image);
      const blend = (value: number, i: number) => value + track.APPEARANCE_RATE * (look[i] - value);
      this.appearance = unit(this.appearance.map(blend));
      this.appearanceAge = 0;
    }
    this.detectionScore = observation.detectionScore ?? this.detectionScore;
    this.last = observation;
    this.time = now;
    this.visible = true;
    this.displaced = false;
  }

  /** The tracked face of this frame, smoothed; call it once per frame. */
  result(): Face {
    const { face } = this.last;
    const smooth = this.smoother ? smoothed(face, this.smoother, this.time) : face;
    return { ...smooth, detection_score: this.detectionScore, track_id: this.id };
  }
}

/** The face with its points, and its pupils where it has them, smoothed together. */
function smoothed(face: Face, smoother: FaceSmoother, time: number): Face {
  const { points, sigma, pupils = [], pupils_covariance: spread = [] } = face;
  const all = smoother.update([...points, ...pupils], [...sigma, ...spread.map(sigmaOf)], time);
  const eyes = all.splice(points.length);
  return { ...face, points: all, ...(face.pupils && { pupils: eyes }) };
}
