/** The built-in stickers, whose images are files of the package. */

import { stickers as constants } from "./constants";
import { FaceDotsError } from "./errors";
import { makeSticker, type Sticker } from "./stickers";

export type StickerName = keyof typeof constants.BUILT_IN;

const FILES: Record<StickerName, string> = {
  crown: new URL("./crown.png", import.meta.url).href,
  "dog-ears": new URL("./dog-ears.png", import.meta.url).href,
  "dog-nose": new URL("./dog-nose.png", import.meta.url).href,
  hat: new URL("./hat.png", import.meta.url).href,
  mustache: new URL("./mustache.png", import.meta.url).href,
  "party-mask": new URL("./party-mask.png", import.meta.url).href,
  sunglasses: new URL("./sunglasses.png", import.meta.url).href,
};

/** The names of the built-in stickers. */
export const stickerNames = Object.keys(constants.BUILT_IN) as StickerName[];

/** A built-in sticker; its image is loaded from the package. */
export async function loadSticker(name: StickerName): Promise<Sticker> {
  const response = await fetch(FILES[name]).catch(() => null);
  if (!response?.ok) throw new FaceDotsError(`the sticker ${name} cannot be loaded`);
  const bitmap = await createImageBitmap(await response.blob());
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  if (!context) throw new FaceDotsError("this browser gives no canvas to read a sticker");
  context.drawImage(bitmap, 0, 0);
  return makeSticker(context.getImageData(0, 0, width, height), constants.BUILT_IN[name]);
}
