/** Effects as data, which the worker puts on an image. */

import { anonymizer, type AnonymizeOptions } from "./anonymize";
import type { Frame } from "./decode";
import type { Effect } from "./effects";
import { FaceDotsError } from "./errors";
import { makeup, type MakeupName } from "./makeup";
import { stickers, type Sticker } from "./stickers";
import type { Face } from "./types";

/** What faces wear, makeup below stickers, and what hides them. */
export interface Look {
  makeup?: readonly MakeupName[];
  stickers?: readonly Sticker[];
  anonymize?: AnonymizeOptions;
}

/** The image with a look on its faces, and the faces in `hidden` anonymized; the frame is closed. */
export async function dress(
  frame: Frame,
  faces: readonly Face[],
  hidden: readonly Face[],
  look: Look,
): Promise<ImageBitmap> {
  const bitmap = frame instanceof ImageBitmap ? frame : await createImageBitmap(frame);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new FaceDotsError("this browser gives workers no canvas");
  context.drawImage(bitmap, 0, 0);
  for (const one of [frame, bitmap]) if ("close" in one) one.close();
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (const effect of wornEffects(look)) effect(pixels, faces);
  if (look.anonymize) anonymizer(look.anonymize)(pixels, hidden);
  context.putImageData(pixels, 0, 0);
  return canvas.transferToImageBitmap();
}

function wornEffects({ makeup: names = [], stickers: list = [] }: Look): Effect[] {
  return [...names.map((name) => makeup(name)), stickers(list)];
}
