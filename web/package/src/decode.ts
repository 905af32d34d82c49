/**
 * From what a page has to pixels as Python reads them: no color management, alpha dropped instead
 * of blended, EXIF orientation applied.
 */

import { headers } from "./constants";
import { FaceDotsError } from "./errors";
import type { Image } from "./image";

/** What travels to the worker. */
export type Frame = Blob | ImageData | ImageBitmap | VideoFrame;

export const DECODING: ImageBitmapOptions = {
  colorSpaceConversion: "none",
  imageOrientation: "from-image",
  premultiplyAlpha: "none",
};

/** The pixels of a frame, which is closed. */
export async function readFrame(frame: Frame): Promise<Image> {
  if (frame instanceof ImageData) return frame;
  if (isVideoFrame(frame)) return (await readVideo(frame)) ?? readCanvas(frame);
  if (!(frame instanceof Blob)) return readCanvas(frame);
  const bitmap = await createImageBitmap(frame, DECODING).catch(() => {
    throw new FaceDotsError("not an image that this browser can decode");
  });
  const { width, height } = bitmap;
  if (width * height > headers.MAX_PIXELS) {
    bitmap.close();
    const limit = headers.MAX_PIXELS / 1e6;
    throw new FaceDotsError(`${width} x ${height} pixels; at most ${limit} megapixels are read`);
  }
  return readTexture(bitmap) ?? readCanvas(bitmap);
}

function isVideoFrame(frame: Frame): frame is VideoFrame {
  return "VideoFrame" in globalThis && frame instanceof VideoFrame;
}

const CONVERTED: VideoFrameCopyToOptions = { format: "RGBA", colorSpace: "srgb" };
let pixels = new Uint8ClampedArray();

/**
 * By a copy without a canvas, into one buffer for all frames; null where the browser does not
 * convert, or where the frame is to be turned or stretched.
 */
async function readVideo(frame: VideoFrame): Promise<Image | null> {
  const { displayWidth: width, displayHeight: height, visibleRect } = frame;
  const { rotation = 0, flip = false } = frame as { rotation?: number; flip?: boolean };
  if (rotation || flip || visibleRect?.width !== width || visibleRect.height !== height)
    return null;
  const length = frame.allocationSize(CONVERTED);
  if (length !== width * height * 4) return null;
  if (pixels.length !== length) pixels = new Uint8ClampedArray(length);
  const copied = frame.copyTo(pixels, CONVERTED).then(
    () => true,
    () => false,
  );
  if (!(await copied)) return null;
  frame.close();
  return { data: pixels, width, height };
}

let canvas: OffscreenCanvas | null = null;

/** By a canvas, which blends transparent pixels with black. */
function readCanvas(frame: ImageBitmap | VideoFrame): Image {
  const [width, height] = isVideoFrame(frame)
    ? [frame.displayWidth, frame.displayHeight]
    : [frame.width, frame.height];
  if (canvas?.width !== width || canvas.height !== height) {
    canvas = new OffscreenCanvas(width, height);
  }
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (!context) throw new FaceDotsError("this browser gives workers no canvas");
  context.drawImage(frame, 0, 0, width, height);
  frame.close();
  return context.getImageData(0, 0, width, height);
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
  const pixels = new Uint8ClampedArray(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  const failed = gl.getError() !== gl.NO_ERROR;
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  if (failed) return null;
  bitmap.close();
  return { data: pixels, width, height };
}
