/** Images: RGB, a byte a channel, row by row, as in Python. */

export interface Image {
  data: Uint8Array;
  width: number;
  height: number;
}

/** An image of black pixels. */
export function blackImage(width: number, height: number): Image {
  return { data: new Uint8Array(width * height * 3), width, height };
}

/** The image in RGBA pixels; alpha is dropped. */
export function fromRgba(pixels: Uint8Array | Uint8ClampedArray, width: number, height: number) {
  const image = blackImage(width, height);
  const { data } = image;
  for (let from = 0, to = 0; to < data.length; from += 4, to += 3) {
    data[to] = pixels[from];
    data[to + 1] = pixels[from + 1];
    data[to + 2] = pixels[from + 2];
  }
  return image;
}

/** The pixels from left, top up to right, bottom, as far as the image reaches. */
export function cutImage(
  image: Image,
  left: number,
  top: number,
  right: number,
  bottom: number,
): Image {
  const width = Math.min(right, image.width) - left;
  const cut = blackImage(width, Math.min(bottom, image.height) - top);
  for (let y = 0; y < cut.height; y++) {
    const start = ((top + y) * image.width + left) * 3;
    cut.data.set(image.data.subarray(start, start + width * 3), y * width * 3);
  }
  return cut;
}
