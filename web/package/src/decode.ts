/**
 * From what a page has to pixels as Python reads them: no color management, alpha dropped instead
 * of blended, EXIF orientation applied.
 */

import { FaceDotsError } from "./errors";
import { fromRgba, type Image } from "./image";

/** What travels to the worker. */
export type Frame = Blob | ImageData | ImageBitmap | VideoFrame;

export const DECODING: ImageBitmapOptions = {
  colorSpaceConversion: "none",
  imageOrientation: "from-image",
  premultiplyAlpha: "none",
};

/** The pixels of a frame, which is closed. */
export async function readFrame(frame: Frame): Promise<Image> {
  if (frame instanceof ImageData) return fromRgba(frame.data, frame.width, frame.height);
  if (!(frame instanceof Blob)) return readCanvas(frame);
  const bitmap = await createImageBitmap(frame, DECODING).catch(() => {
    throw new FaceDotsError("not an image that this browser can decode");
  });
  return readTexture(bitmap) ?? readCanvas(bitmap);
}

let canvas: OffscreenCanvas | null = null;

/** By a canvas, which blends transparent pixels with black. */
function readCanvas(frame: ImageBitmap | VideoFrame): Image {
  const width = "displayWidth" in frame ? frame.displayWidth : frame.width;
  const height = "displayHeight" in frame ? frame.displayHeight : frame.height;
  if (canvas?.width !== width || canvas.height !== height) {
    canvas = new OffscreenCanvas(width, height);
  }
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (!context) throw new FaceDotsError("this browser gives workers no canvas");
  context.drawImage(frame, 0, 0, width, height);
  frame.close();
  return fromRgba(context.getImageData(0, 0, width, height).data, width, height);
}

/** By WebGL, the one way to the colors of transparent pixels; null where it is missing. */
function readTexture(bitmap: ImageBitmap): Image | null {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (!gl || Math.max(width, height) > Number(gl.getParameter(gl.MAX_TEXTURE_SIZE))) return null;
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  const target = [gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D] as const;
  gl.framebufferTexture2D(...target, gl.getParameter(gl.TEXTURE_BINDING_2D) as WebGLTexture, 0);
  const pixels = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  const failed = gl.getError() !== gl.NO_ERROR;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  if (failed) return null;
  bitmap.close();
  return fromRgba(pixels, width, height);
}
