/** How the points of a face fit the mean face, as in Python's `shapes.py`. */

import { shapes } from "./constants";
import { applyAffine, mean, type Matrix, type Point } from "./geometry";
import { fitRows } from "./linear";

const MEAN_SHAPE: readonly (readonly [number, number])[] = shapes.MEAN_SHAPE;

/** The least-squares affine map from the mean face to points; null where they lie on a line. */
export function fitMeanShape(points: readonly Point[]): Matrix | null {
  const design = MEAN_SHAPE.map(([x, y]) => [x, y, 1]);
  return (fitRows(design, points)?.flat() ?? null) as Matrix | null;
}

/** Pixels of the outer-eye distance if the face looked at the camera; as large in a profile. */
export function faceUnit([a, b, , d, e]: Matrix): number {
  return Math.max(Math.hypot(a, d), Math.hypot(b, e));
}

/** Whether points are the mean face, turned as a head can be, and little else. */
export function isPlausible(points: readonly Point[]): boolean {
  const fit = fitMeanShape(points);
  if (!fit) return false;
  const [a, b, , d, e] = fit;
  // The singular values of a 2x2 matrix: how much the map stretches along its axes.
  const [turned, mirrored] = [Math.hypot(a + e, d - b) / 2, Math.hypot(a - e, d + b) / 2];
  const unit = turned + mirrored;
  const squares = points.map(([x, y], i) => {
    const [u, v] = applyAffine(fit, MEAN_SHAPE[i]);
    return (x - u) ** 2 + (y - v) ** 2;
  });
  return (
    turned - mirrored >= shapes.MIN_SQUEEZE * unit &&
    Math.sqrt(mean(squares)) <= shapes.MAX_MISFIT * unit
  );
}

/** The expected forehead: an arc from the right temple to the left. */
export function forehead(fit: Matrix): Point[] {
  return shapes.FOREHEAD.map((point) => applyAffine(fit, point));
}
