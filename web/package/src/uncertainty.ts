/** The mathematics of a point's covariance, as in Python's `uncertainty.py`. */

import { schema, uncertainty } from "./constants";
import type { Matrix, Point } from "./geometry";

/** `[xx, xy, yy]` of a point's error, in square pixels. */
export type Covariance = [xx: number, xy: number, yy: number];

/** One standard deviation along an axis: the root of the mean variance. */
export function sigmaOf([xx, , yy]: Covariance): number {
  return Math.sqrt((xx + yy) / 2);
}

/** A covariance under an affine map: A C Aᵀ. */
export function mapCovariance([a, b, , d, e]: Matrix, [xx, xy, yy]: Covariance): Covariance {
  return [
    a * a * xx + 2 * a * b * xy + b * b * yy,
    a * d * xx + (a * e + b * d) * xy + b * e * yy,
    d * d * xx + 2 * d * e * xy + e * e * yy,
  ];
}

/** The probability that the Mahalanobis radius of an error is at most `radius`. */
export function radiusCdf(radius: number, dof: number | null): number {
  const square = radius ** 2;
  if (dof === null) return -Math.expm1(-square / 2);
  return -Math.expm1((-dof / 2) * Math.log1p(square / (dof - 2)));
}

/** The inverse of {@link radiusCdf}, for probabilities in [0, 1). */
export function radiusQuantile(probability: number, dof: number | null): number {
  const beyond = Math.log1p(-probability);
  return Math.sqrt(dof === null ? -2 * beyond : (dof - 2) * Math.expm1((-2 / dof) * beyond));
}

/** The variances along the longer and the shorter axis, and the longer one's angle in radians. */
export function principal([xx, xy, yy]: Covariance): [number, number, number] {
  const [middle, tilt] = [(xx + yy) / 2, (xx - yy) / 2];
  const radius = Math.hypot(tilt, xy);
  return [middle + radius, Math.max(middle - radius, 0), Math.atan2(xy, tilt) / 2];
}

/** An ellipse about a point: semi-axes in pixels, and the longer one's angle in radians. */
export interface Ellipse {
  axes: [longer: number, shorter: number];
  angle: number;
}

/** The ellipse that holds an error with a probability. */
export function ellipse(covariance: Covariance, probability: number, dof: number | null): Ellipse {
  const [larger, smaller, angle] = principal(covariance);
  const radius = radiusQuantile(probability, dof);
  return { axes: [Math.sqrt(larger) * radius, Math.sqrt(smaller) * radius], angle };
}

/** The probability that an error is shorter than a distance: a mean over directions. */
export function probWithin(covariance: Covariance, distance: number, dof: number | null): number {
  const [larger, smaller] = principal(covariance);
  const [middle, stretch] = [(larger + smaller) / 2, (larger - smaller) / 2];
  const total = uncertainty.DIRECTIONS.reduce((sum, direction) => {
    const variance = middle + stretch * direction;
    return sum + radiusCdf(variance ? distance / Math.sqrt(variance) : Infinity, dof);
  }, 0);
  return total / uncertainty.DIRECTIONS.length;
}

/** The probability that each point is within 5 % of the predicted eye distance of its label. */
export function confidence(points: Point[], covariance: Covariance[], dof: number | null) {
  const [first, second] = schema.norm_pair.map((i) => points[i]);
  const eyes = Math.hypot(first[0] - second[0], first[1] - second[1]);
  const distance = uncertainty.CONFIDENT_WITHIN * eyes;
  return covariance.map((one) => probWithin(one, distance, dof));
}
