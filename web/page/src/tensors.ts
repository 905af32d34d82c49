/** Tensors as images, a pixel for each cell. */

import type { Tensor } from "facedots";

const HOT = [255, 96, 0];

/** A crop `[S, S, 3]`. */
export function cropPixels({ data, shape: [height, width] }: Tensor<Uint8Array>): ImageData {
  return paint(width, height, (i) => [...data.subarray(3 * i, 3 * i + 3), 255]);
}

/** The heatmap of a keypoint of `[K, h, w]`, or of all: opaque where it has its largest value. */
export function heatPixels({ data, shape }: Tensor, keypoint: number | null): ImageData {
  const [count, height, width] = shape;
  const area = height * width;
  const heat = new Float32Array(area);
  for (let k = keypoint ?? 0; k < (keypoint === null ? count : keypoint + 1); k++) {
    for (let i = 0; i < area; i++) heat[i] = Math.max(heat[i], data[k * area + i]);
  }
  const peak = Math.max(...heat);
  return paint(width, height, (i) => [...HOT, (255 * heat[i]) / peak]);
}

/** A kernel of `[O, 3, h, w]` in colors, mid-gray for zero. */
export function kernelPixels(kernels: Tensor, index: number): ImageData {
  const [, , height, width] = kernels.shape;
  const kernel = entry(kernels, index);
  const peak = Math.max(...kernel.map(Math.abs));
  return paint(width, height, (i) => {
    const levels = [0, 1, 2].map((channel) => kernel[channel * height * width + i] / peak);
    return [...levels.map((level) => 127.5 * (1 + level)), 255];
  });
}

/** A feature map of `[O, H, W]`: its smallest value black, its largest one white. */
export function mapPixels(maps: Tensor, index: number): ImageData {
  const [, height, width] = maps.shape;
  const map = entry(maps, index);
  const [low, high] = [Math.min(...map), Math.max(...map)];
  return paint(width, height, (i) => {
    const level = (255 * (map[i] - low)) / (high - low);
    return [level, level, level, 255];
  });
}

/** The part of a tensor at an index of its first axis. */
function entry({ data, shape: [, ...rest] }: Tensor, index: number): Float32Array {
  const size = rest.reduce((product, side) => product * side);
  return data.subarray(index * size, (index + 1) * size);
}

function paint(width: number, height: number, rgba: (i: number) => number[]): ImageData {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set(rgba(i), 4 * i);
  return image;
}
