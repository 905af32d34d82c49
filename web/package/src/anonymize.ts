/** Anonymization: faces blurred, pixelated or painted over, as in Python's `anonymize.py`. */

import { anonymize } from "./constants";
import type { Color, Effect } from "./effects";
import { FaceDotsError } from "./errors";
import { boxIou, boxSide, clip, mean, round, tightBox, type Box, type Point } from "./geometry";
import { blackImage, cutImage, type Image } from "./image";
import { convexHull, fillPolygon, windowAround, type Window } from "./polygons";
import { fitMeanShape, forehead, isPlausible } from "./shapes";
import type { Face } from "./types";
import { principal } from "./uncertainty";
import { resizeImage } from "./warp";

export type AnonymizeMethod = "blur" | "pixelate" | "solid";

export interface AnonymizeOptions {
  /** `blur` by default; only `solid` leaves nothing that a network could recognize. */
  method?: AnonymizeMethod;
  /** Standard deviations of each point by which the cover grows; 3 by default. */
  sigmas?: number;
  /** Least growth, in sides of the face's box; 0.08 by default. */
  margin?: number;
  /** For `solid`; black by default. */
  color?: Color;
  /** What an image without a face becomes: an error, a copy as it is (default), all covered. */
  onNoFace?: "error" | "copy" | "cover";
}

/** OpenCV's kernel of cubic interpolation. */
const CUBIC = -0.75;
const CORNERS = 16;

/** Effect: covers every face, forehead and chin included; a face that was not found stays. */
export function anonymizer(options: AnonymizeOptions = {}): Effect {
  const { on_no_face: copy, ...defaults } = anonymize.DEFAULTS;
  const { method, sigmas, margin, color, onNoFace } = { ...defaults, onNoFace: copy, ...options };
  return (pixels, faces) => {
    if (!faces.length && onNoFace === "error") throw new FaceDotsError("no face found");
    const whole = rectangle(-1, -1, pixels.width, pixels.height);
    const covers = faces.map((face) => coverPolygons(face, sigmas, margin));
    if (!faces.length && onNoFace === "cover") covers.push([whole]);
    for (const polygons of covers) cover(pixels, polygons, method, color);
  };
}

/** Convex polygons that together hide a face. */
export function coverPolygons(face: Face, sigmas: number, margin: number): Point[][] {
  const [x0, y0, x1, y1] = tightBox(face.points);
  const size = Math.max(x1 - x0, y1 - y0);
  const fit = fitMeanShape(face.points);
  const radii = face.covariance.map((one) =>
    Math.max(sigmas * Math.sqrt(principal(one)[0]) || 0, margin * size),
  );
  const discs = face.points.map((point, i) => disc(point, radii[i]));
  const above = anonymize.FOREHEAD_RADIUS * Math.max(...radii);
  if (fit) discs.push(...forehead(fit).map((point) => disc(point, above)));
  const hull = convexHull(discs.flat());
  return fit && !isUncertain(face) ? [hull] : [hull, grownBox(face.box)];
}

/** Whether a face's place is uncertain: low scores, a large sigma, points unlike a face or its box. */
export function isUncertain(face: Face): boolean {
  const tight = tightBox(face.points);
  return (
    (face.detection_score ?? face.score) < anonymize.MIN_DETECTION_SCORE ||
    face.score < anonymize.MIN_SCORE ||
    mean(face.sigma) > anonymize.MAX_SIGMA * boxSide(tight) ||
    !(boxIou(tight, face.box) >= anonymize.MIN_IOU) ||
    !isPlausible(face.points)
  );
}

function grownBox(box: Box): Point[] {
  const growth = anonymize.BOX_GROWTH * boxSide(box);
  const [x0, y0, x1, y1] = box;
  return rectangle(x0 - growth, y0 - 2 * growth, x1 + growth, y1 + growth);
}

function rectangle(x0: number, y0: number, x1: number, y1: number): Point[] {
  return [
    [x0, y0],
    [x1, y0],
    [x1, y1],
    [x0, y1],
  ];
}

/** A polygon around a disc. */
function disc([x, y]: Point, radius: number): Point[] {
  const corner = radius / Math.cos(Math.PI / CORNERS);
  return Array.from({ length: CORNERS }, (_, i) => {
    const angle = (2 * Math.PI * i) / CORNERS;
    return [x + corner * Math.cos(angle), y + corner * Math.sin(angle)];
  });
}

function cover(pixels: Image, polygons: Point[][], method: AnonymizeMethod, color: Color): void {
  const around = windowAround(polygons.flat(), pixels);
  const [left, top, right, bottom] = around;
  if (left >= right || top >= bottom) return;
  const mask = new Uint8Array((right - left) * (bottom - top));
  for (const polygon of polygons) fillPolygon(mask, polygon, around);
  const used = usedPart(mask, around);
  if (!used) return;
  const [width, height] = [used[2] - used[0], used[3] - used[1]];
  // Cells are sized by the whole face, also where the image cuts it.
  const side = Math.max(...polygons.map((polygon) => boxSide(tightBox(polygon))));
  const cells = [width, height].map((length) =>
    Math.max(1, round((length * anonymize.CELLS) / side)),
  );
  const paint =
    method === "solid"
      ? null
      : enlarged(
          resizeImage(cutImage(pixels, ...used), cells[0], cells[1]),
          width,
          height,
          method === "pixelate" ? nearestTaps : cubicTaps,
        ).data;
  for (let y = used[1], from = 0; y < used[3]; y++) {
    let at = (y - top) * (right - left) + used[0] - left;
    for (let x = used[0]; x < used[2]; x++, at++, from += 4) {
      if (!mask[at]) continue;
      pixels.data.set(paint?.subarray(from, from + 3) ?? color, (y * pixels.width + x) * 4);
    }
  }
}

/** The smallest window that holds all marked pixels of a mask; null where there are none. */
function usedPart(mask: Uint8Array, [left, top, right]: Window): Window | null {
  const width = right - left;
  const first = mask.indexOf(1);
  if (first < 0) return null;
  let [low, high] = [width, 0];
  mask.forEach((marked, i) => {
    if (!marked) return;
    low = Math.min(low, i % width);
    high = Math.max(high, i % width);
  });
  const [start, end] = [Math.floor(first / width), Math.floor(mask.lastIndexOf(1) / width)];
  return [left + low, top + start, left + high + 1, top + end + 1];
}

/** The pixels of a side that make one of a larger side, and their weights. */
type Taps = [pixel: number, weight: number][];

function nearestTaps(place: number, scale: number): Taps {
  return [[Math.floor(place * scale), 1]];
}

function cubicTaps(place: number, scale: number): Taps {
  const middle = (place + 0.5) * scale - 0.5;
  const first = Math.floor(middle) - 1;
  return [0, 1, 2, 3].map((i) => {
    const off = Math.abs(middle - first - i);
    const near = ((CUBIC + 2) * off - (CUBIC + 3)) * off * off + 1;
    const far = ((CUBIC * off - 5 * CUBIC) * off + 8 * CUBIC) * off - 4 * CUBIC;
    return [first + i, off <= 1 ? near : far];
  });
}

/** An image of few cells in a larger size. */
function enlarged(cells: Image, width: number, height: number, taps: typeof cubicTaps): Image {
  const columns = Array.from({ length: width }, (_, x) => taps(x, cells.width / width));
  const rows = Array.from({ length: height }, (_, y) => taps(y, cells.height / height));
  const wide = new Float32Array(cells.height * width * 4);
  for (let y = 0, to = 0; y < cells.height; y++) {
    for (const column of columns) {
      for (const [x, weight] of column) {
        const from = (y * cells.width + clip(x, 0, cells.width - 1)) * 4;
        for (let c = 0; c < 3; c++) wide[to + c] += weight * cells.data[from + c];
      }
      to += 4;
    }
  }
  const result = blackImage(width, height);
  const line = new Float32Array(width * 4);
  rows.forEach((row, y) => {
    line.fill(0);
    for (const [source, weight] of row) {
      const from = clip(source, 0, cells.height - 1) * line.length;
      for (let x = 0; x < line.length; x++) line[x] += weight * wide[from + x];
    }
    result.data.set(line, y * line.length);
  });
  return result;
}
