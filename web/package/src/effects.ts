/** Effects on the faces of an image, as Python's `facedots.effects`. */

import { blackImage, type Image } from "./image";
import type { Window } from "./polygons";
import type { Face } from "./types";

/** The pixels of an image, as `ImageData` has them: RGBA, a byte each, row by row. */
export interface Pixels {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** Anything done to the faces of an image: it changes the pixels in place. */
export type Effect = (pixels: Pixels, faces: readonly Face[]) => void;

/** Red, green and blue, 0 to 255. */
export type Color = readonly [red: number, green: number, blue: number];

/** A part of the pixels, without alpha. */
export function cutPixels({ data, width }: Pixels, [left, top, right, bottom]: Window): Image {
  const cut = blackImage(right - left, bottom - top);
  for (let y = top, to = 0; y < bottom; y++) {
    for (let from = (y * width + left) * 4; to < (y - top + 1) * cut.width * 3; from += 4) {
      for (let channel = 0; channel < 3; channel++) cut.data[to++] = data[from + channel];
    }
  }
  return cut;
}
