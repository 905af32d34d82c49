/** Head pose from keypoints, and a pinhole camera, as in Python's `pose.py`. */

import { pose, schema, shapes } from "./constants";
import { centroid, degrees, radians, sum, type Point } from "./geometry";
import { fitRows, solve } from "./linear";
import type { HeadPose } from "./types";

export type Vector = [x: number, y: number, z: number];
/** A rotation, or any other 3x3 matrix, row by row. */
export type Rotation = [Vector, Vector, Vector];

const STEPS = 50;
const MODEL_DEPTHS = shapes.HEAD_MODEL.map(([, , z]) => z);

/** A pinhole camera without distortion: focal length and principal point in pixels. */
export interface Camera {
  focal: number;
  center: Point;
}

/** A typical camera for an uncropped image. */
export function guessCamera(width: number, height: number): Camera {
  return {
    focal: pose.GUESSED_FOCAL * Math.max(width, height),
    center: [(width - 1) / 2, (height - 1) / 2],
  };
}

/** The rotation from the head's axes to the camera's: Rz(roll) Ry(-yaw) Rx(-pitch). */
export function rotation({ yaw, pitch, roll }: Pick<HeadPose, "yaw" | "pitch" | "roll">): Rotation {
  const [tilt, turn, nod] = [radians(roll), radians(-yaw), radians(-pitch)];
  return multiply(
    axisRotation([0, 0, tilt]),
    multiply(axisRotation([0, turn, 0]), axisRotation([nod, 0, 0])),
  );
}

/**
 * The points with rotation and distance of the head undone: each moves along its line of sight to
 * its depth in the head model. Units are the outer-eye distance, the origin lies between the eyes.
 */
export function frontal(points: readonly Point[], pose: HeadPose, camera: Camera): Point[] {
  const flat = unproject(points, MODEL_DEPTHS, pose, camera);
  const [right, left] = schema.norm_pair.map((i) => flat[i]);
  const distance = Math.hypot(left[0] - right[0], left[1] - right[1]);
  const [x, y] = [(left[0] + right[0]) / 2, (left[1] + right[1]) / 2];
  return flat.map((point): Point => [(point[0] - x) / distance, (point[1] - y) / distance]);
}

/**
 * The points in the head's axes that are seen at pixels and have a depth (z) there; the inverse of
 * {@link project}.
 */
export function unproject(
  pixels: readonly Point[],
  depths: readonly number[],
  pose: HeadPose,
  camera: Camera,
): Vector[] {
  const turn = rotation(pose);
  const { translation: shift } = pose;
  return pixels.map((pixel, i) => {
    // A point p is seen at ray where (turn p + shift)[:2] = ray * (turn p + shift)[2]; its z is
    // known, so this is linear in x and y.
    const [[a, b, p], [c, d, q]] = rayOf(pixel, camera).map((value, axis) => {
      const row = turn[axis].map((entry, k) => entry - value * turn[2][k]);
      const known = row[2] * depths[i] + shift[axis] - value * shift[2];
      return [row[0], row[1], -known];
    });
    const determinant = a * d - b * c;
    return [(p * d - b * q) / determinant, (a * q - p * c) / determinant, depths[i]];
  });
}

/** Where the line of sight through a pixel meets the plane at depth 1. */
export function rayOf([x, y]: Point, { focal, center }: Camera): Point {
  return [(x - center[0]) / focal, (y - center[1]) / focal];
}

/** Yaw, pitch and roll in degrees; the inverse of {@link rotation}. */
function angles(turn: Rotation): Pick<HeadPose, "yaw" | "pitch" | "roll"> {
  return {
    yaw: degrees(Math.asin(Math.min(Math.max(turn[2][0], -1), 1))),
    pitch: -degrees(Math.atan2(turn[2][1], turn[2][2])),
    roll: degrees(Math.atan2(turn[1][0], turn[0][0])),
  };
}

/** The pixel of a point in the head's axes. */
export function project(solid: readonly number[], head: HeadPose, camera: Camera): Point {
  const [x, y, z] = add(apply(rotation(head), solid), head.translation);
  const { focal, center } = camera;
  return [(focal * x) / z + center[0], (focal * y) / z + center[1]];
}

/**
 * The pose of a head from its keypoints: a fit of the head model to those above the lower lip. Scaled
 * orthography gives the start, Levenberg-Marquardt the least squared reprojection error. Null where
 * no head in front of the camera has its keypoints there.
 */
export function headPose(points: readonly Point[], camera: Camera): HeadPose | null {
  const solid = pose.POSE_POINTS.map((i) => shapes.HEAD_MODEL[i] as Readonly<Vector>);
  const rays = pose.POSE_POINTS.map((i) => rayOf(points[i], camera));
  const start = initialPose(solid, rays);
  const fit = start && refine(solid, rays, start);
  if (!fit || !(fit.shift[2] > 0) || !Number.isFinite(fit.error)) return null;
  const error = Math.sqrt(fit.error / solid.length) * fit.shift[2];
  return { ...angles(fit.turn), translation: fit.shift, reprojection_error: error };
}

interface Fit {
  turn: Rotation;
  shift: Vector;
}

/** A pose by scaled orthography, in a camera turned to look straight at the head. */
function initialPose(solid: readonly Readonly<Vector>[], rays: readonly Point[]): Fit | null {
  const [mx, my] = centroid(rays);
  const offset = Math.hypot(mx, my);
  const angle = Math.atan(offset) / Math.max(offset, 1e-12);
  const toHead = axisRotation([-my * angle, mx * angle, 0]);
  const straight = rays.map(([x, y]): Point => {
    const [u, v, w] = apply(transpose(toHead), [x, y, 1]);
    return [u / w, v / w];
  });
  const middle = [0, 1, 2].map((k) => sum(solid.map((p) => p[k])) / solid.length);
  const arms = solid.map((p) => p.map((value, k) => value - middle[k]));
  const rows = fitRows(arms, straight);
  if (!rows) return null;
  const [first, second] = rows;
  const zoom = (norm(first) + norm(second)) / 2;
  if (!zoom) return null;
  // The two perpendicular unit vectors nearest to the rows.
  const [a, b] = [unit(first), unit(second)];
  const between = unit(a.map((value, k) => value + b[k]));
  const across = unit(a.map((value, k) => value - b[k]));
  const right = unit(between.map((value, k) => value + across[k]));
  const down = unit(between.map((value, k) => value - across[k]));
  const turn: Rotation = [right, down, cross(right, down)];
  const [x, y] = centroid(straight);
  const center = apply(turn, middle);
  const shift: Vector = [x / zoom - center[0], y / zoom - center[1], 1 / zoom - center[2]];
  return { turn: multiply(toHead, turn), shift: apply(toHead, shift) };
}

/** The pose of the least squared error of the rays, and that error: Levenberg-Marquardt. */
function refine(solid: readonly Readonly<Vector>[], rays: readonly Point[], start: Fit) {
  let best = { ...start, error: squaredError(solid, rays, start) };
  let damping = 1e-3;
  for (let step = 0; step < STEPS; step++) {
    const { matrix, vector } = normalEquations(solid, rays, best);
    const damped = matrix.map((row, i) => row.map((v, j) => (i === j ? v * (1 + damping) : v)));
    const move = solve(damped, vector);
    if (!move) break;
    const turn = multiply(axisRotation([move[0], move[1], move[2]]), best.turn);
    const fit = { turn, shift: add(best.shift, move.slice(3)) };
    const error = squaredError(solid, rays, fit);
    const gain = best.error - error;
    damping = gain > 0 ? damping / 10 : damping * 10;
    if (gain > 0) best = { ...fit, error };
    if (norm(move) < 1e-10 || (gain > 0 && gain < 1e-8 * error)) break;
  }
  return best;
}

function squaredError(
  solid: readonly Readonly<Vector>[],
  rays: readonly Point[],
  { turn, shift }: Fit,
): number {
  return sum(
    solid.map((point, i) => {
      const [x, y, z] = add(apply(turn, point), shift);
      return z > 0 ? (x / z - rays[i][0]) ** 2 + (y / z - rays[i][1]) ** 2 : Infinity;
    }),
  );
}

/** Gauss and Newton's equations for a small turn about the camera's axes and a shift. */
function normalEquations(
  solid: readonly Readonly<Vector>[],
  rays: readonly Point[],
  { turn, shift }: Fit,
) {
  const matrix = Array.from({ length: 6 }, () => new Array<number>(6).fill(0));
  const vector = new Array<number>(6).fill(0);
  solid.forEach((point, i) => {
    const turned = apply(turn, point);
    const [x, y, z] = add(turned, shift);
    const slopes: [Vector, number][] = [
      [[1 / z, 0, -x / z ** 2], rays[i][0] - x / z],
      [[0, 1 / z, -y / z ** 2], rays[i][1] - y / z],
    ];
    for (const [slope, residual] of slopes) {
      const [[a, b, c], [d, e, f]] = [cross(turned, slope), slope];
      const row = [a, b, c, d, e, f];
      for (let j = 0; j < 6; j++) {
        vector[j] += row[j] * residual;
        for (let k = 0; k <= j; k++) matrix[j][k] += row[j] * row[k];
      }
    }
  });
  return { matrix: matrix.map((row, j) => row.map((v, k) => (k > j ? matrix[k][j] : v))), vector };
}

/** The rotation about an axis, by its length in radians (Rodrigues). */
function axisRotation(axis: Vector): Rotation {
  const angle = norm(axis);
  const [x, y, z] = angle ? axis.map((value) => value / angle) : [0, 0, 0];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const rest = 1 - cos;
  return [
    [cos + x * x * rest, x * y * rest - z * sin, x * z * rest + y * sin],
    [y * x * rest + z * sin, cos + y * y * rest, y * z * rest - x * sin],
    [z * x * rest - y * sin, z * y * rest + x * sin, cos + z * z * rest],
  ];
}

export function apply(turn: Rotation, [x, y, z]: readonly number[]): Vector {
  const row = ([a, b, c]: Vector) => a * x + b * y + c * z;
  return [row(turn[0]), row(turn[1]), row(turn[2])];
}

export function transpose([a, b, c]: Rotation): Rotation {
  const column = (k: 0 | 1 | 2): Vector => [a[k], b[k], c[k]];
  return [column(0), column(1), column(2)];
}

export function multiply(first: Rotation, second: Rotation): Rotation {
  const columns = transpose(second);
  const row = (a: Vector): Vector => apply(columns, a);
  return [row(first[0]), row(first[1]), row(first[2])];
}

export function add(a: Vector, b: readonly number[]): Vector {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function norm(vector: readonly number[]): number {
  return Math.hypot(...vector);
}

function unit(vector: readonly number[]): Vector {
  const length = norm(vector) || 1;
  return [vector[0] / length, vector[1] / length, vector[2] / length];
}
