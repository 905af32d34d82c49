/** The warp from an image to a crop, as OpenCV's `warpAffine` and `resize` compute it. */

import { applyAffine, clip, compose, invert, type Matrix } from "./geometry";
import { blackImage, cutImage, type Image } from "./image";

/** OpenCV rounds places to 1/32 of a pixel, and sums of 1/1024 to get there. */
export const SUBPIXELS = 32;
const FINE = 1024;

/**
 * The image under an affine map (image to result), sampled bilinearly; what lies outside is black.
 * The image is first halved, by area, until the map shrinks it by less than two.
 */
export function warpImage(image: Image, matrix: Matrix, width: number, height: number): Image {
  const zoom = Math.sqrt(Math.abs(matrix[0] * matrix[4] - matrix[1] * matrix[3]));
  const halvings = zoom < 0.5 ? Math.floor(Math.log2(1 / zoom)) : 0;
  const step = 2 ** halvings;
  let [left, top] = [0, 0];
  if (halvings) {
    const box = sourceBox(image, matrix, width, height, step);
    [left, top] = box;
    image = cutImage(image, ...box);
  }
  for (let i = 0; i < halvings; i++) image = halve(image);
  // Pixel centers: a point x of the halved image lies at step * (x + 0.5) - 0.5 of the original.
  const edge = (step - 1) / 2;
  const original: Matrix = [step, 0, left + edge, 0, step, top + edge];
  return warpAffine(image, invert(compose(matrix, original)), width, height);
}

/** The image sampled bilinearly at each pixel of the result, mapped by `back`. */
function warpAffine(image: Image, back: Matrix, width: number, height: number): Image {
  const [a, b, c, d, e, f] = back;
  const warped = blackImage(width, height);
  const half = FINE / SUBPIXELS / 2;
  for (let y = 0, to = 0; y < height; y++) {
    const x0 = Math.round((b * y + c) * FINE) + half;
    const y0 = Math.round((e * y + f) * FINE) + half;
    for (let x = 0; x < width; x++, to += 3) {
      const px = Math.floor((x0 + Math.round(a * x * FINE)) / (FINE / SUBPIXELS));
      const py = Math.floor((y0 + Math.round(d * x * FINE)) / (FINE / SUBPIXELS));
      sample(image, px, py, warped.data, to);
    }
  }
  return warped;
}

/** The pixel at a place in 1/32 pixels. */
export function sample(image: Image, px: number, py: number, target: Uint8Array, to: number): void {
  const { data, width, height } = image;
  const [x, y] = [Math.floor(px / SUBPIXELS), Math.floor(py / SUBPIXELS)];
  if (x < -1 || y < -1 || x >= width || y >= height) return;
  const [right, below] = [px - x * SUBPIXELS, py - y * SUBPIXELS];
  const [left, above] = [SUBPIXELS - right, SUBPIXELS - below];
  const [hasLeft, hasRight] = [x >= 0, x + 1 < width];
  const [hasTop, hasBottom] = [y >= 0, y + 1 < height];
  const [upper, lower] = [(y * width + x) * 3, ((y + 1) * width + x) * 3];
  for (let channel = 0; channel < 3; channel++) {
    let total = SUBPIXELS ** 2 / 2;
    if (hasTop && hasLeft) total += left * above * data[upper + channel];
    if (hasTop && hasRight) total += right * above * data[upper + 3 + channel];
    if (hasBottom && hasLeft) total += left * below * data[lower + channel];
    if (hasBottom && hasRight) total += right * below * data[lower + 3 + channel];
    target[to + channel] = total / SUBPIXELS ** 2;
  }
}

/** What a warp reads: left, top, right, bottom; left and top are multiples of `step`. */
function sourceBox(image: Image, matrix: Matrix, width: number, height: number, step: number) {
  const back = invert(matrix);
  const ends = [-1, width].flatMap((x) => [-1, height].map((y) => applyAffine(back, [x, y])));
  const span = (places: number[], side: number): [number, number] => {
    const first = Math.floor(Math.min(...places) / step) - 1;
    const start = clip(first, 0, Math.floor((side - 1) / step));
    const end = Math.max(Math.floor(Math.max(...places) / step) + 2, start + 1);
    return [start * step, end * step];
  };
  const [left, right] = span(
    ends.map(([x]) => x),
    image.width,
  );
  const [top, bottom] = span(
    ends.map(([, y]) => y),
    image.height,
  );
  return [left, top, right, bottom] as const;
}

/** The mean of each 2x2 block; odd sides are padded with black. */
function halve({ data, width, height }: Image): Image {
  const half = blackImage(Math.ceil(width / 2), Math.ceil(height / 2));
  const [pixel, row] = [3, width * 3];
  for (let y = 0, to = 0; y < half.height; y++) {
    const hasBelow = 2 * y + 1 < height;
    for (let x = 0; x < half.width; x++) {
      const hasRight = 2 * x + 1 < width;
      let from = 2 * y * row + 2 * x * pixel;
      for (let channel = 0; channel < 3; channel++, from++, to++) {
        let total = data[from] + 2;
        if (hasRight) total += data[from + pixel];
        if (hasBelow) total += data[from + row];
        if (hasRight && hasBelow) total += data[from + row + pixel];
        half.data[to] = total >> 2;
      }
    }
  }
  return half;
}

/** The image in another size: by area where it shrinks, else bilinearly. */
export function resizeImage(image: Image, width: number, height: number): Image {
  if (width === image.width && height === image.height) return image;
  const narrow = new Float32Array(image.height * width * 3);
  const columns = tapsOf(image.width, width);
  for (let y = 0, to = 0; y < image.height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      let from = (y * image.width + columns.starts[x]) * 3;
      for (let tap = x * columns.count; tap < (x + 1) * columns.count; tap++, from += 3) {
        const weight = columns.weights[tap];
        narrow[to] += weight * image.data[from];
        narrow[to + 1] += weight * image.data[from + 1];
        narrow[to + 2] += weight * image.data[from + 2];
      }
    }
  }
  const resized = blackImage(width, height);
  const rows = tapsOf(image.height, height);
  const sums = new Float32Array(width * 3);
  for (let y = 0; y < height; y++) {
    sums.fill(0.5);
    for (let tap = 0; tap < rows.count; tap++) {
      const weight = rows.weights[y * rows.count + tap];
      const from = (rows.starts[y] + tap) * sums.length;
      for (let x = 0; x < sums.length; x++) sums[x] += weight * narrow[from + x];
    }
    resized.data.set(sums, y * sums.length);
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
