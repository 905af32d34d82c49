/** Stickers: images with transparency that move and turn with a face, as in Python's `stickers.py`. */

import { schema, shapes, stickers as constants } from "./constants";
import type { Effect } from "./effects";
import { FaceDotsError } from "./errors";
import { compose, fitSimilarity, mean, round, type Matrix, type Point } from "./geometry";
import { blackImage, cutImage, wordsOf, type Image } from "./image";
import { apply, guessCamera, headPose, multiply, rotation, type Rotation } from "./pose";
import { windowAround } from "./polygons";
import { fitMeanShape } from "./shapes";
import type { Face } from "./types";
import { resizeImage, sample, SUBPIXELS } from "./warp";

/** How a sticker is fixed to a face. */
export interface Placement {
  /** Names of points to their places in the sticker, in pixels; at least two. */
  anchors: Readonly<Record<string, readonly [x: number, y: number]>>;
  /** What besides their mean place is fitted: see Python's docs/filters.md. */
  fit: "affine" | "perspective" | "similarity";
}

export interface Sticker extends Placement {
  /** Its colors multiplied by alpha, as interpolation needs. */
  image: Image;
}

/** A sticker of one's own, from its pixels. */
export function makeSticker({ data, width, height }: Image, { anchors, fit }: Placement): Sticker {
  const names: readonly string[] = schema.names;
  for (const name of Object.keys(anchors)) {
    if (!names.includes(name)) throw new FaceDotsError(`no point is called ${name}`);
  }
  const image = blackImage(width, height);
  data.forEach((value, i) => {
    image.data[i] = i % 4 < 3 ? (value * data[i - (i % 4) + 3]) / 255 : value;
  });
  return { image, anchors, fit };
}

/** Effect: puts stickers on every face, the first one lowest. */
export function stickers(list: readonly Sticker[]): Effect {
  return (pixels, faces) => {
    for (const face of faces) {
      for (const sticker of list) {
        const place = placeSticker(sticker, face, pixels);
        if (place) paste(pixels, sticker, place);
      }
    }
  };
}

/** The homography from a sticker's pixels to the image's; null for points on a line. */
function placeSticker(sticker: Sticker, face: Face, size: Image): Rotation | null {
  const names: readonly string[] = schema.names;
  const rows = Object.keys(sticker.anchors).map((name) => names.indexOf(name));
  const places = Object.values(sticker.anchors);
  const targets = rows.map((row) => face.points[row]);
  if (sticker.fit === "similarity") return homogeneous(fitSimilarity(places, targets));
  const fit = fitMeanShape(face.points);
  if (!fit) return null;
  const flat = fitSimilarity(
    places,
    rows.map((row) => shapes.MEAN_SHAPE[row]),
  );
  const plane = sticker.fit === "perspective" ? asSeen(sticker, face, size, rows) : null;
  const turned = plane ?? homogeneous(compose(fit, flat));
  const seen = places.map((place) => applyHomography(turned, place));
  const gap = ([0, 1] as const).map((axis) => mean(targets.map((p, i) => p[axis] - seen[i][axis])));
  return multiply(homogeneous([1, 0, gap[0], 0, 1, gap[1]]), turned);
}

/** The homography of a plane in the head; null where it would touch the lens, or without a pose. */
function asSeen(
  { anchors, image }: Sticker,
  { points, pose }: Face,
  { width, height }: Image,
  rows: readonly number[],
): Rotation | null {
  const camera = guessCamera(width, height);
  const head = pose ?? headPose(points, camera);
  if (!head) return null;
  const solid = rows.map((row) => shapes.HEAD_MODEL[row]);
  const plane = fitSimilarity(
    Object.values(anchors),
    solid.map(([x, y]): Point => [x, y]),
  );
  const depth = mean(solid.map(([, , z]) => z));
  const turned = multiply(rotation(head), [...affineRows(plane), [0, 0, depth]]);
  turned.forEach((row, axis) => (row[2] += head.translation[axis]));
  const corners = [0, image.width].flatMap((x) => [0, image.height].map((y) => [x, y, 1]));
  const nearest = Math.min(...corners.map((corner) => apply(turned, corner)[2]));
  if (nearest < constants.NEAREST * head.translation[2]) return null;
  const { focal, center } = camera;
  return multiply(homogeneous([focal, 0, center[0], 0, focal, center[1]]), turned);
}

/** Lays a sticker over the pixels, under a homography. */
function paste(pixels: Image, { image }: Sticker, place: Rotation): void {
  const { width, height } = image;
  const corners = [
    [-1, -1],
    [width, -1],
    [width, height],
    [-1, height],
  ].map((corner) => applyHomography(place, corner));
  const [left, top, right, bottom] = windowAround(corners, pixels);
  if (left >= right || top >= bottom) return;
  const zoom = Math.sqrt(area(corners) / ((width + 1) * (height + 1)));
  if (zoom < 0.5) {
    // A warp that shrinks by more than two would skip pixels.
    const small = [width, height].map((side) => Math.max(1, round(side * zoom)));
    image = resizeImage(image, small[0], small[1]);
    const [x, y] = [width / small[0], height / small[1]];
    place = multiply(place, homogeneous([x, 0, (x - 1) / 2, 0, y, (y - 1) / 2]));
  }
  const back = inverse(place);
  // Its border is transparent.
  const bordered = cutImage(image, -1, -1, image.width + 1, image.height + 1);
  const words = wordsOf(bordered);
  for (let v = top; v < bottom; v++) {
    for (let u = left; u < right; u++) {
      const [x, y] = applyHomography(back, [u, v]);
      const [px, py] = [Math.round((x + 1) * SUBPIXELS), Math.round((y + 1) * SUBPIXELS)];
      const paint = sample(words, bordered.width, px, py);
      if (!paint) continue;
      const rest = 1 - (paint >>> 24) / 255;
      const at = (v * pixels.width + u) * 4;
      // The clamped array rounds.
      for (let c = 0; c < 3; c++) {
        pixels.data[at + c] = pixels.data[at + c] * rest + ((paint >>> (8 * c)) & 255);
      }
    }
  }
}

function affineRows([a, b, c, d, e, f]: Matrix): [Rotation[0], Rotation[0]] {
  return [
    [a, b, c],
    [d, e, f],
  ];
}

function homogeneous(affine: Matrix): Rotation {
  return [...affineRows(affine), [0, 0, 1]];
}

function applyHomography(matrix: Rotation, [x, y]: readonly number[]): Point {
  const [u, v, w] = apply(matrix, [x, y, 1]);
  return [u / w, v / w];
}

function inverse([[a, b, c], [d, e, f], [g, h, i]]: Rotation): Rotation {
  const [x, y, z] = [e * i - f * h, f * g - d * i, d * h - e * g];
  const det = a * x + b * y + c * z;
  return [
    [x / det, (c * h - b * i) / det, (b * f - c * e) / det],
    [y / det, (a * i - c * g) / det, (c * d - a * f) / det],
    [z / det, (b * g - a * h) / det, (a * e - b * d) / det],
  ];
}

/** The area of a polygon. */
function area(corners: readonly Point[]): number {
  const parts = corners.map(([x, y], i) => {
    const [u, v] = corners[(i + 1) % corners.length];
    return x * v - u * y;
  });
  return Math.abs(parts.reduce((total, part) => total + part)) / 2;
}
