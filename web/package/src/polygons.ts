/** Filled polygons as OpenCV draws them: hard masks, and soft ones for paint. */

import { round, type Point } from "./geometry";

/** A part of an image: left, top, and the first column and row beyond. */
export type Window = [left: number, top: number, right: number, bottom: number];

/** Variance, in square pixels, of OpenCV's anti-aliased lines across their direction. */
const LINE_VARIANCE = 0.275;
/** Softness in pixels from which a mask is computed on a coarser grid. */
const COARSE = 4;

/** The pixels around points in an image of this size; empty where they lie outside. */
export function windowAround(
  points: readonly Point[],
  { width, height }: { width: number; height: number },
  margin = 0,
): Window {
  const ends = [width, height].map((limit, axis) => {
    const places = points.map((point) => point[axis]);
    const first = Math.floor(Math.min(...places) - margin);
    const last = Math.ceil(Math.max(...places) + margin) + 1;
    return [first, last].map((place) => Math.min(Math.max(place, 0), limit));
  });
  return [ends[0][0], ends[1][0], ends[0][1], ends[1][1]];
}

/** The convex hull of points: Andrew's monotone chain. */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const chain = (ordered: Point[]) => {
    const hull: Point[] = [];
    for (const point of ordered) {
      while (hull.length > 1 && turn(hull[hull.length - 2], hull[hull.length - 1], point) <= 0) {
        hull.pop();
      }
      hull.push(point);
    }
    return hull.slice(0, -1);
  };
  return [...chain(sorted), ...chain(sorted.reverse())];
}

function turn(a: Point, b: Point, c: Point): number {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

/** Marks with 1 what lies inside a polygon, or on its line, in a mask of the window's pixels. */
export function fillPolygon(mask: Uint8Array, polygon: readonly Point[], window: Window): void {
  const [left, top, right, bottom] = window;
  fillRows([polygon], window, (start, end) => mask.fill(1, start, end));
  for (const edge of edgesOf(polygon)) {
    walk(edge, 0, (x, y) => {
      const inside = x >= left && x < right && y >= top && y < bottom;
      if (inside) mask[(y - top) * (right - left) + x - left] = 1;
    });
  }
}

/**
 * The share of each pixel of a window inside polygons, in [0, 1], soft at the border by `feather`
 * pixels (a standard deviation); where two overlap is a hole.
 */
export function softMask(
  polygons: readonly Point[][],
  feather: number,
  [left, top, right, bottom]: Window,
): Float32Array {
  // What is soft has no detail, so a coarse grid is enough; the blur needs the surroundings.
  const step = Math.max(1, Math.floor(feather / COARSE));
  const margin = Math.ceil((3 * feather) / step) + 1;
  const width = Math.ceil((right - left) / step) + 2 * margin;
  const height = Math.ceil((bottom - top) / step) + 2 * margin;
  const moved = polygons.map((polygon) =>
    polygon.map(([x, y]): Point => [(x - left) / step + margin, (y - top) / step + margin]),
  );
  const mask = new Float32Array(width * height);
  if (step === 1) moved.flatMap(edgesOf).forEach((edge) => drawSoftLine(mask, edge, width, height));
  fillRows(moved, [0, 0, width, height], (start, end) => mask.fill(1, start, end));
  const soft = feather > 0.3 ? blurred(mask, width, height, feather / step) : mask;
  const share = new Float32Array((right - left) * (bottom - top));
  for (let y = top, to = 0; y < bottom; y++) {
    const v = (y - top) / step + margin;
    for (let x = left; x < right; x++, to++) {
      share[to] = interpolated(soft, width, (x - left) / step + margin, v);
    }
  }
  return share;
}

function interpolated(values: Float32Array, width: number, x: number, y: number): number {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const [right, below] = [x - column, y - row];
  const at = row * width + column;
  const upper = values[at] + right * (values[at + 1] - values[at]);
  if (!below) return upper;
  const lower = values[at + width] + right * (values[at + width + 1] - values[at + width]);
  return upper + below * (lower - upper);
}

type Edge = [from: Point, to: Point];

function edgesOf(polygon: readonly Point[]): Edge[] {
  return polygon.map((point, i) => [point, polygon[(i + 1) % polygon.length]]);
}

/** Visits the pixels of each row whose centers lie inside polygons, as a span in the window's. */
function fillRows(
  polygons: readonly (readonly Point[])[],
  [left, top, right, bottom]: Window,
  visit: (start: number, end: number) => void,
): void {
  const edges = polygons.flatMap(edgesOf);
  for (let y = top; y < bottom; y++) {
    const crossings = edges
      .filter(([[, y0], [, y1]]) => y0 <= y !== y1 <= y)
      .map(([[x0, y0], [x1, y1]]) => x0 + ((y - y0) * (x1 - x0)) / (y1 - y0))
      .sort((a, b) => a - b);
    const row = (y - top) * (right - left) - left;
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const start = Math.max(Math.ceil(crossings[i]), left);
      const end = Math.min(Math.floor(crossings[i + 1]) + 1, right);
      if (start < end) visit(row + start, row + end);
    }
  }
}

/**
 * Visits the pixels along a line, and `reach` more to both sides across it; `off` is how far across
 * the line one lies, `slope` the line's, at most 1.
 */
function walk(
  [[x0, y0], [x1, y1]]: Edge,
  reach: number,
  visit: (x: number, y: number, off: number, slope: number) => void,
): void {
  const steep = Math.abs(y1 - y0) > Math.abs(x1 - x0);
  const [a0, b0, a1, b1] = steep ? [y0, x0, y1, x1] : [x0, y0, x1, y1];
  const slope = (b1 - b0) / (a1 - a0) || 0;
  for (let a = round(Math.min(a0, a1)); a <= round(Math.max(a0, a1)); a++) {
    const b = b0 + (a - a0) * slope;
    const middle = Math.floor(b + 0.5);
    for (let k = middle - reach; k <= middle + reach; k++) {
      if (steep) visit(k, a, b - k, slope);
      else visit(a, k, b - k, slope);
    }
  }
}

/** The border of OpenCV's anti-aliased polygons: a Gaussian across each line, drawn twice. */
function drawSoftLine(mask: Float32Array, edge: Edge, width: number, height: number): void {
  walk(edge, 1, (x, y, off, slope) => {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const once = Math.sqrt((1 + slope ** 2) / 2) * Math.exp(-(off ** 2) / (2 * LINE_VARIANCE));
    const at = y * width + x;
    mask[at] = 1 - (1 - mask[at]) * (1 - once) ** 2;
  });
}

/** The values blurred by a Gaussian of this standard deviation; nothing lies outside. */
function blurred(values: Float32Array, width: number, height: number, sigma: number): Float32Array {
  const radius = Math.ceil(4 * sigma);
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const total = kernel.reduce((all, weight) => all + weight);
  const along = (source: Float32Array, step: number, length: number, start: number) => {
    const result = new Float32Array(source.length);
    for (let i = 0; i < source.length; i++) {
      const place = Math.floor(i / step) % length;
      const first = Math.max(-radius, -place);
      const last = Math.min(radius, length - 1 - place);
      let value = 0;
      for (let k = first; k <= last; k++) value += kernel[k + start] * source[i + k * step];
      result[i] = value / total;
    }
    return result;
  };
  return along(along(values, 1, width, radius), width, height, radius);
}
