/** The warp from an image to a crop, as OpenCV's `warpAffine` and `resize` compute it. */

import { applyAffine, clip, compose, invert, type Matrix } from "./geometry";
import { blackImage, cutImage, wordsOf, type Image } from "./image";

/** OpenCV rounds places to 1/32 of a pixel, and sums of 1/1024 to get there. */
const BITS = 5;
export const SUBPIXELS = 1 << BITS;
const FINE = 1 << (2 * BITS);

/**
 * The image under an affine map (image to result), sampled bilinearly; what lies outside is black.
 * The image is first halved, by area, until the map shrinks it by less than two.
 */
export function warpImage(image: Image, matrix: Matrix, width: number, height: number): Image {
  const zoom = Math.sqrt(Math.abs(matrix[0] * matrix[4] - matrix[1] * matrix[3]));
  const halvings = zoom < 0.5 ? Math.floor(Math.log2(1 / zoom)) : 0;
  const step = 2 ** halvings;
  const box = sourceBox(image, matrix, width, height, step);
  let source = cutImage(image, ...box);
  for (let i = 0; i < halvings; i++) source = halve(source);
  // Pixel centers: a point x of the halved image lies at step * (x + 0.5) - 0.5 of the original.
  const edge = (step - 1) / 2;
  const original: Matrix = [step, 0, box[0] + edge, 0, step, box[1] + edge];
  return warpAffine(source, invert(compose(matrix, original)), width, height);
}

/** What a warp reads and a border of black, all multiples of `step`. */
function sourceBox(
  image: Image,
  matrix: Matrix,
  width: number,
  height: number,
  step: number,
): [left: number, top: number, right: number, bottom: number] {
  const back = invert(matrix);
  const ends = [-1, width].flatMap((x) => [-1, height].map((y) => applyAffine(back, [x, y])));
  const span = (axis: 0 | 1, side: number): [number, number] => {
    const places = ends.map((end) => end[axis] / step);
    const count = Math.ceil(side / step);
    const start = clip(Math.floor(Math.min(...places)) - 1, -1, count - 1);
    return [start, clip(Math.floor(Math.max(...places)) + 2, start + 1, count + 1)];
  };
  const [[left, right], [top, bottom]] = [span(0, image.width), span(1, image.height)];
  return [left * step, top * step, right * step, bottom * step];
}

/** The image, black at its border, sampled at each pixel of the result, mapped by `back`. */
function warpAffine(image: Image, back: Matrix, width: number, height: number): Image {
  const [a, b, c, d, e, f] = back;
  const warped = blackImage(width, height);
  const [source, target] = [wordsOf(image), wordsOf(warped)];
  const xs = Int32Array.from({ length: width }, (_, x) => Math.round(a * x * FINE));
  const ys = Int32Array.from({ length: width }, (_, x) => Math.round(d * x * FINE));
  for (let y = 0, to = 0; y < height; y++) {
    const x0 = Math.round((b * y + c) * FINE) + SUBPIXELS / 2;
    const y0 = Math.round((e * y + f) * FINE) + SUBPIXELS / 2;
    for (let x = 0; x < width; x++, to++) {
      target[to] = sample(source, image.width, (x0 + xs[x]) >> BITS, (y0 + ys[x]) >> BITS);
    }
  }
  return warped;
}

/** The pixel at a place in 1/32 pixels, sampled bilinearly; 0 beyond the outermost ones. */
export function sample(pixels: Uint32Array, width: number, px: number, py: number): number {
  const left = px >> BITS;
  const from = (py >> BITS) * width + left;
  if (left < 0 || left + 1 >= width || from < 0 || from + width + 1 >= pixels.length) return 0;
  const [right, below] = [px & (SUBPIXELS - 1), py & (SUBPIXELS - 1)];
  const [a, b] = [(SUBPIXELS - right) * (SUBPIXELS - below), right * (SUBPIXELS - below)];
  const [c, d] = [(SUBPIXELS - right) * below, right * below];
  const [p, q] = [pixels[from], pixels[from + 1]];
  const [r, s] = [pixels[from + width], pixels[from + width + 1]];
  let blended = 0;
  for (let shift = 0; shift < 32; shift += 8) {
    const total =
      a * ((p >>> shift) & 255) +
      b * ((q >>> shift) & 255) +
      c * ((r >>> shift) & 255) +
      d * ((s >>> shift) & 255);
    blended |= ((total + FINE / 2) >> (2 * BITS)) << shift;
  }
  return blended;
}

/** The mean of each 2x2 block of an image with even sides, two channels at a time; alpha is lost. */
function halve(image: Image): Image {
  const { width } = image;
  const half = blackImage(width / 2, image.height / 2);
  const [pixels, means] = [wordsOf(image), wordsOf(half)];
  const [even, odd] = [0xff00ff, 0x00ff00];
  for (let y = 0, to = 0; y < half.height; y++) {
    for (let from = 2 * y * width; from < (2 * y + 1) * width; from += 2, to++) {
      const [p, q] = [pixels[from], pixels[from + 1]];
      const [r, s] = [pixels[from + width], pixels[from + width + 1]];
      const evens = (p & even) + (q & even) + (r & even) + (s & even) + 0x20002;
      const odds = (p & odd) + (q & odd) + (r & odd) + (s & odd) + 0x200;
      means[to] = ((evens >> 2) & even) | ((odds >> 2) & odd);
    }
  }
  return half;
}

/** The image in another size: by area where it shrinks, else bilinearly. */
export function resizeImage(image: Image, width: number, height: number): Image {
  if (width === image.width && height === image.height) return image;
  const resized = blackImage(width, height);
  const [rows, columns] = [tapsOf(image.height, height), tapsOf(image.width, width)];
  const line = new Float32Array(image.width * 4);
  const sums = new Float32Array(4);
  for (let y = 0, to = 0; y < height; y++) {
    line.fill(0);
    for (let tap = 0; tap < rows.count; tap++) {
      const weight = rows.weights[y * rows.count + tap];
      const from = (rows.starts[y] + tap) * line.length;
      for (let x = 0; weight && x < line.length; x++) line[x] += weight * image.data[from + x];
    }
    for (let x = 0; x < width; x++, to += 4) {
      sums.fill(0);
      let from = columns.starts[x] * 4;
      for (let tap = x * columns.count; tap < (x + 1) * columns.count; tap++) {
        const weight = columns.weights[tap];
        for (let c = 0; c < 4; c++, from++) sums[c] += weight * line[from];
      }
      resized.data.set(sums, to); // rounds
    }
  }
  return resized;
}

/** For each pixel of a result the first of `count` neighbors that make it, and their weights. */
interface Taps {
  count: number;
  starts: Int32Array;
  weights: Float32Array;
}

function tapsOf(source: number, target: number): Taps {
  const scale = source / target;
  const count = Math.min(scale >= 1 ? Math.ceil(scale) + 1 : 2, source);
  const starts = new Int32Array(target);
  const weights = new Float32Array(target * count);
  for (let i = 0; i < target; i++) {
    const [low, high] = [i * scale, (i + 1) * scale];
    const middle = clip((low + high) / 2 - 0.5, 0, source - 1);
    starts[i] = Math.min(Math.floor(scale >= 1 ? low : middle), source - count);
    for (let tap = 0; tap < count; tap++) {
      const pixel = starts[i] + tap;
      const shared = Math.max(Math.min(high, pixel + 1) - Math.max(low, pixel), 0) / scale;
      const near = Math.max(1 - Math.abs(middle - pixel), 0);
      weights[i * count + tap] = scale >= 1 ? shared : near;
    }
  }
  return { count, starts, weights };
}
