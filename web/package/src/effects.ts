/** Effects on the faces of an image, as Python's `facedots.effects`. */

import type { Image } from "./image";
import type { Face } from "./types";

/** Anything done to the faces of an image: it changes the pixels in place. */
export type Effect = (image: Image, faces: readonly Face[]) => void;

/** Red, green and blue, 0 to 255. */
export type Color = readonly [red: number, green: number, blue: number];
