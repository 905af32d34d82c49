/** The package's files: the networks and the runtime, gzip-compressed for hosts that do not. */

import { FaceDotsError, messageOf } from "./errors";

/**
 * The bytes of a file of the package, unpacked where the host has not. `onProgress` gets the share
 * that has arrived.
 */
export async function loadAsset(
  url: string,
  onProgress?: (share: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url).catch((error: unknown) => {
    throw new FaceDotsError(`${url} cannot be loaded: ${messageOf(error)}`);
  });
  if (!response.ok || !response.body) {
    throw new FaceDotsError(`${url} cannot be loaded: status ${response.status}`);
  }
  const length = Number(response.headers.get("content-length") ?? NaN);
  let loaded = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      loaded += chunk.length;
      onProgress?.(Math.min(loaded / length || 0, 1));
      controller.enqueue(chunk);
    },
  });
  const bytes = await collect(response.body.pipeThrough(counter));
  onProgress?.(1);
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!packed) return bytes;
  return collect(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
}

async function collect(stream: ReadableStream): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
