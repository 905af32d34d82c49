/** Images: RGBA, a byte a channel, row by row; but for stickers, alpha is not looked at. */

/** What `ImageData` has. */
export interface Image {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** An image of black, transparent pixels. */
export function blackImage(width: number, height: number): Image {
  return { data: new Uint8ClampedArray(width * height * 4), width, height };
}

/** The bytes without alpha, as Python has them. */
export function toRgb({ data, width, height }: Image): Uint8Array {
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return rgb;
}

/** The pixels from left, top up to right, bottom; black beyond the image. */
export function cutImage(
  { data, width, height }: Image,
  left: number,
  top: number,
  right: number,
  bottom: number,
): Image {
  const cut = blackImage(right - left, bottom - top);
  const [start, end] = [Math.max(left, 0), Math.min(right, width)];
  for (let y = Math.max(top, 0); y < Math.min(bottom, height); y++) {
    const row = data.subarray((y * width + start) * 4, (y * width + end) * 4);
    cut.data.set(row, ((y - top) * cut.width + start - left) * 4);
  }
  return cut;
}

/** The pixels of an image that a function here made, a number each; alpha is its highest byte. */
export function wordsOf({ data }: Image): Uint32Array {
  return new Uint32Array(data.buffer);
}
