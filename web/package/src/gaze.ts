/** Where eyes look, from pupils, the corners of the lids and head pose, as in Python's `gaze.py`. */

import { gaze, shapes } from "./constants";
import { degrees, mean, type Point } from "./geometry";
import {
  add,
  apply,
  dot,
  rayOf,
  rotation,
  transpose,
  unproject,
  type Camera,
  type Vector,
} from "./pose";
import { isRegionHidden, type EyeGaze, type Face, type Gaze, type HeadPose } from "./types";
import type { Covariance } from "./uncertainty";

const EYES = ["right_eye", "left_eye"] as const;

/** A direction in the head's axes, and its variance in square radians. */
interface Axis {
  direction: Vector;
  variance: number;
}

/** Where the eyes of a face look, relative to its head; null where neither can be read. */
export function eyeGaze(face: Face, camera: Camera): Gaze | null {
  const { pose, points, pupils, pupils_covariance: covariance } = face;
  if (!pose || !pupils || !covariance) return null;
  const axes = EYES.map((_, i) => {
    if (!isReadable(face, i)) return null;
    return opticalAxis(pupils[i], covariance[i], eyeCenter(points, i, pose, camera), pose, camera);
  });
  const known = axes.filter((axis) => axis !== null);
  if (!known.length) return null;
  const direction = middle(known.map((axis) => axis.direction));
  const variance = mean(known.map((axis) => axis.variance)) / known.length;
  const [right_eye, left_eye] = axes.map((axis) => axis && anglesOf(axis));
  return { ...anglesOf({ direction, variance }), right_eye, left_eye };
}

/** The center of an eyeball in the head's axes. */
function eyeCenter(points: readonly Point[], eye: number, pose: HeadPose, camera: Camera): Vector {
  const corners = gaze.CORNERS[eye];
  const pixels = corners.map((i) => points[i]);
  const depths = corners.map((i) => shapes.HEAD_MODEL[i][2]);
  return add(middle(unproject(pixels, depths, pose, camera)), gaze.EYE_CENTER);
}

function middle(vectors: readonly Vector[]): Vector {
  const along = (k: 0 | 1 | 2) => mean(vectors.map((vector) => vector[k]));
  return [along(0), along(1), along(2)];
}

/** Whether an eye is open and seen. */
function isReadable(face: Face, eye: number): boolean {
  if (face.signals && face.signals[`${EYES[eye]}_closed`] >= 1) return false;
  return !isRegionHidden(face, EYES[eye]);
}

/**
 * From an eyeball's center to its pupil; null where the line of sight passes the eyeball, or the
 * pupil or its covariance is unknown.
 */
function opticalAxis(
  pupil: Point,
  [xx, xy, yy]: Covariance,
  center: Vector,
  pose: HeadPose,
  camera: Camera,
): Axis | null {
  const turn = rotation(pose);
  const toHead = transpose(turn);
  const eye = apply(toHead, pose.translation);
  const start: Vector = [-eye[0] - center[0], -eye[1] - center[1], -eye[2] - center[2]];
  const sight = apply(toHead, [...rayOf(pupil, camera), 1]);
  const [square, along] = [dot(sight, sight), dot(sight, start)];
  const inside = along ** 2 - square * (dot(start, start) - gaze.PUPIL_RADIUS ** 2);
  if (!(inside > 0) || Number.isNaN(xx + xy + yy)) return null;
  const reach = -(along + Math.sqrt(inside)) / square;
  const at = (k: 0 | 1 | 2) => (start[k] + reach * sight[k]) / gaze.PUPIL_RADIUS;
  const direction: Vector = [at(0), at(1), at(2)];
  // By the pupil's pixels: it stays on the sphere, along the line of sight.
  const moved = ([x, y, z]: Vector): Vector => {
    const share = dot(direction, [x, y, z]) / dot(direction, sight);
    return [x - share * sight[0], y - share * sight[1], z - share * sight[2]];
  };
  const [right, down] = [moved(turn[0]), moved(turn[1])];
  const spread = xx * dot(right, right) + 2 * xy * dot(right, down) + yy * dot(down, down);
  return { direction, variance: (reach / (camera.focal * gaze.PUPIL_RADIUS)) ** 2 * (spread / 2) };
}

function anglesOf({ direction: [x, y, z], variance }: Axis): EyeGaze {
  return {
    yaw: degrees(Math.atan2(x, -z)),
    pitch: degrees(Math.atan2(-y, Math.hypot(x, z))),
    sigma: degrees(Math.sqrt(variance)),
  };
}
