/**
 * Boxes, points and affine maps, as in Python's `geometry.py`: points are `[x, y]` in pixels, where
 * (0, 0) is the center of the top-left pixel; boxes are `[x0, y0, x1, y1]`.
 */

export type Point = [x: number, y: number];
export type Box = [x0: number, y0: number, x1: number, y1: number];
/** Center x, center y, side in pixels, roll in degrees (positive: clockwise as seen). */
export type Square = [x: number, y: number, side: number, roll: number];
/** An affine map (2, 3), row by row: x' = a x + b y + c, y' = d x + e y + f. */
export type Matrix = [a: number, b: number, c: number, d: number, e: number, f: number];

type Pair = readonly [number, number];

export const degrees = (radians: number): number => (radians * 180) / Math.PI;
export const radians = (angle: number): number => (angle * Math.PI) / 180;
export const clip = (value: number, low: number, high: number): number =>
  Math.min(Math.max(value, low), high);
/** Python's rounding: a half goes to the even neighbor. */
export const round = (value: number): number =>
  value % 1 === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
export const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);
export const mean = (values: readonly number[]): number => sum(values) / values.length;

/** The middle value; of an even number, the mean of both. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** The value below which a percentage of the values lies, interpolated as NumPy does. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = ((sorted.length - 1) * percent) / 100;
  const low = sorted[Math.floor(place)];
  return low + (sorted[Math.ceil(place)] - low) * (place % 1);
}

/** The mean of points. */
export function centroid(points: readonly Pair[]): Point {
  return [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
}

/** The tight box around points. */
export function tightBox(points: readonly Pair[]): Box {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Whether a point lies on a pixel of an image. */
export function isInside([x, y]: Point, image: { width: number; height: number }): boolean {
  return x >= -0.5 && y >= -0.5 && x < image.width - 0.5 && y < image.height - 0.5;
}

export function boxCenter([x0, y0, x1, y1]: Box): Point {
  return [(x0 + x1) / 2, (y0 + y1) / 2];
}

export function boxArea([x0, y0, x1, y1]: Box): number {
  return (x1 - x0) * (y1 - y0);
}

/** The longer side. */
export function boxSide([x0, y0, x1, y1]: Box): number {
  return Math.max(x1 - x0, y1 - y0);
}

/** The area that two boxes share. */
export function sharedArea(a: Box, b: Box): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return Math.max(width, 0) * Math.max(height, 0);
}

/** Intersection over union. */
export function boxIou(a: Box, b: Box): number {
  const shared = sharedArea(a, b);
  return shared / (boxArea(a) + boxArea(b) - shared);
}

/** The affine map that applies `inner`, then `outer`. */
export function compose(outer: Matrix, inner: Matrix): Matrix {
  const [a, b, c, d, e, f] = outer;
  const [g, h, i, j, k, l] = inner;
  return [
    a * g + b * j,
    a * h + b * k,
    a * i + b * l + c,
    d * g + e * j,
    d * h + e * k,
    d * i + e * l + f,
  ];
}

/** The inverse of an affine map. */
export function invert([a, b, c, d, e, f]: Matrix): Matrix {
  const det = a * e - b * d;
  const [g, h, i, j] = [e / det, -b / det, -d / det, a / det];
  return [g, h, -(g * c + h * f), i, j, -(i * c + j * f)];
}

/** A point under an affine map. */
export function applyAffine([a, b, c, d, e, f]: Matrix, [x, y]: Pair): Point {
  return [a * x + b * y + c, d * x + e * y + f];
}

/** Turns about `center` by `angle` degrees (positive: clockwise as seen), then shifts. */
export function rotationAbout(angle: number, shift: Pair, [x, y]: Pair): Matrix {
  const [cos, sin] = [Math.cos(radians(angle)), Math.sin(radians(angle))];
  return [cos, -sin, x + shift[0] - cos * x + sin * y, sin, cos, y + shift[1] - sin * x - cos * y];
}

/** From an image to the `size` x `size` crop that shows a tilted square upright. */
export function cropMatrix([x, y, side, roll]: Square, size: number): Matrix {
  const [zoom, middle] = [size / side, (size - 1) / 2];
  const upright: Matrix = [zoom, 0, middle - zoom * x, 0, zoom, middle - zoom * y];
  return roll ? compose(upright, rotationAbout(-roll, [0, 0], [x, y])) : upright;
}

/** The square around points, tilted with them; `across`: the two points that are level if upright. */
export function uprightSquare(points: readonly Point[], across: Pair): Square {
  const [right, left] = [points[across[0]], points[across[1]]];
  const roll = degrees(Math.atan2(left[1] - right[1], left[0] - right[0]));
  const back = rotationAbout(roll, [0, 0], [0, 0]);
  const level = rotationAbout(-roll, [0, 0], [0, 0]);
  const box = tightBox(points.map((point) => applyAffine(level, point)));
  return [...applyAffine(back, boxCenter(box)), Math.max(boxSide(box), 1), roll];
}

/**
 * The least-squares similarity (rotation, zoom, shift, never a mirror) from source to target:
 * Umeyama's fit (IEEE PAMI 13(4), 1991) in the plane. NaN where all source points are one.
 */
export function fitSimilarity(source: readonly Pair[], target: readonly Pair[]): Matrix {
  const [from, to] = [centroid(source), centroid(target)];
  let [dot, cross, power] = [0, 0, 0];
  source.forEach(([sx, sy], i) => {
    const [x, y] = [sx - from[0], sy - from[1]];
    const [u, v] = [target[i][0] - to[0], target[i][1] - to[1]];
    dot += x * u + y * v;
    cross += x * v - y * u;
    power += x * x + y * y;
  });
  const [a, b] = [dot / power, cross / power];
  return [a, -b, to[0] - a * from[0] + b * from[1], b, a, to[1] - b * from[0] - a * from[1]];
}
