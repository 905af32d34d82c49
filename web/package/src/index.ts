/**
 * 68 keypoints of faces in the browser, each with its uncertainty. Nothing that an image shows
 * leaves the machine: the networks are files of this package and run in a worker.
 */

import { loadAsset } from "./assets";
import { models, schema, shapes } from "./constants";
import { DECODING, type Frame } from "./decode";
import { FaceDotsError, messageOf } from "./errors";
import type { Inspection } from "./inspection";
import type { Look } from "./look";
import type { Answer, AnyResult, Numbered, Request, Results } from "./messages";
import type { ModelName, ModelSpec } from "./predictor";
import type { Tracking, TrackOptions } from "./tracker";
import type { Face, KeypointSchema } from "./types";

export { anonymizer, type AnonymizeMethod, type AnonymizeOptions } from "./anonymize";
export type { Color, Effect } from "./effects";
export { guessEmotion } from "./emotion";
export { BlinkCounter } from "./expression";
export { FaceDotsError } from "./errors";
export type { Image as Pixels } from "./image";
export type { Inspection } from "./inspection";
export type { Look } from "./look";
export { makeup, makeupNames, type MakeupName, type Paint } from "./makeup";
export { guessCamera, project, type Camera } from "./pose";
export { resultsDocument, resultsTable, type ImageResult, type ResultsDocument } from "./results";
export { loadSticker, stickerNames, type StickerName } from "./gallery";
export { makeSticker, stickers, type Placement, type Sticker } from "./stickers";
export { ellipse, type Covariance, type Ellipse } from "./uncertainty";
export type { Box, Point } from "./geometry";
export type { ModelName, ModelSpec } from "./predictor";
export type { Search } from "./search";
export type { Tensor } from "./session";
export type { TrackOptions } from "./tracker";
export {
  isHidden,
  type EmotionName,
  type Emotions,
  type EyeGaze,
  type Face,
  type Gaze,
  type HeadPose,
  type KeypointSchema,
  type SignalName,
  type Signals,
} from "./types";

/** A rigid head: 68 × `[x, y, z]` in outer-eye distances, which {@link project} takes. */
export const headModel: readonly (readonly [number, number, number])[] = shapes.HEAD_MODEL;

/** What {@link FaceDots.detect} takes. A `Blob` is a file of an image, as a user drops it. */
export type Source =
  | Blob
  | HTMLCanvasElement
  | HTMLImageElement
  | HTMLVideoElement
  | ImageBitmap
  | ImageData
  | OffscreenCanvas
  | VideoFrame;

export interface Options {
  /** The network: `tiny` by default; `small` is more exact and five times slower. */
  model?: ModelName;
  /** Faces with a lower score of the detector, in [0, 1], are dropped; 0.8 by default. */
  minScore?: number;
  /** Gets the share of the files that has arrived, in [0, 1]. */
  onProgress?: (share: number) => void;
}

/** The faces of one frame of a video. */
export interface TrackedFrame extends Tracking {
  /** The frame in which they are; closed when the loop goes on. */
  image: ImageBitmap | VideoFrame;
  /** Seconds since the start of the video. */
  time: number;
  width: number;
  height: number;
}

const NETWORKS: Record<ModelName, string> = {
  tiny: new URL("./tiny.onnx.gz", import.meta.url).href,
  small: new URL("./small.onnx.gz", import.meta.url).href,
};
const DETECTOR = new URL("./retinaface.onnx.gz", import.meta.url).href;
const INSPECTION = new URL("./inspection.onnx.gz", import.meta.url).href;
const RUNTIME = new URL("./runtime.wasm.gz", import.meta.url).href;
/** Packed as the others, so that no bundler takes it for a module of its own. */
const WORKER = new URL("./worker.js.gz", import.meta.url).href;

interface Waiting {
  resolve: (result: AnyResult) => void;
  reject: (error: FaceDotsError) => void;
}

/**
 * Finds faces and their keypoints.
 *
 * ```js
 * const dots = await FaceDots.create({ model: "tiny" });
 * const faces = await dots.detect(file);
 * ```
 */
export class FaceDots {
  /** The meaning of the points. */
  readonly schema: KeypointSchema = schema;
  /** Of the network; its `dof` is what {@link ellipse} needs. */
  readonly spec: ModelSpec;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private lastTracker = 0;
  private closed = false;

  private constructor(
    private readonly worker: Worker,
    model: ModelName,
    private readonly onProgress?: (share: number) => void,
  ) {
    this.spec = models[model];
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.receive(data);
    worker.onerror = (event) => this.fail(`the worker failed: ${event.message || "not loaded"}`);
  }

  /** Load the networks and the runtime. */
  static async create(options: Options = {}): Promise<FaceDots> {
    const { model = "tiny", minScore, onProgress } = options;
    if (!(model in NETWORKS)) {
      const names = Object.keys(NETWORKS).join(", ");
      throw new FaceDotsError(`no network is called ${model}; there are ${names}`);
    }
    const worker = await startWorker();
    const dots = new FaceDots(worker, model, onProgress);
    const urls = { detector: DETECTOR, network: NETWORKS[model], runtime: RUNTIME };
    try {
      await dots.ask({ type: "open", model, urls, minScore });
    } catch (error) {
      dots.close();
      throw error;
    }
    return dots;
  }

  /** The faces in an image, or in the current frame of a video, highest score first. */
  async detect(source: Source): Promise<Face[]> {
    const { faces } = await this.send({ type: "detect", frame: await frameOf(source) });
    return faces;
  }

  /**
   * The faces of a playing video from frame to frame, each with a `track_id`, until the video or the
   * loop ends. Frames that come while one is worked on are left out. The options may be changed
   * meanwhile: they are read anew for each frame.
   *
   * ```js
   * for await (const { faces } of dots.track(video)) draw(faces);
   * ```
   */
  async *track(video: HTMLVideoElement, options: TrackOptions = {}): AsyncGenerator<TrackedFrame> {
    const tracker = ++this.lastTracker;
    try {
      for await (const time of frameTimes(video)) {
        if (this.closed) return;
        const frame = await frameOf(video);
        const image = await copyOf(frame);
        try {
          const request = { type: "track", tracker, frame, time, options } as const;
          yield { ...(await this.send(request)), time, image };
        } finally {
          image.close();
        }
      }
    } finally {
      if (!this.closed) await this.ask({ type: "forget", tracker });
    }
  }

  /**
   * What the network `tiny` makes of a face in an image, or in the current frame of a video: its
   * crop, kernels, feature maps and heatmaps. Another file, which the first call loads.
   */
  async inspect(source: Source, { points }: Pick<Face, "points">): Promise<Inspection> {
    return this.send({ type: "inspect", url: INSPECTION, frame: await frameOf(source), points });
  }

  /**
   * A copy of an image with a look on its faces, and those in `hidden` anonymized; made in the worker,
   * so that the page goes on.
   */
  async dress(
    source: Source,
    faces: readonly Face[],
    look: Look,
    hidden = faces,
  ): Promise<ImageBitmap> {
    return this.send({ type: "dress", frame: await frameOf(source), faces, hidden, look });
  }

  /** End the worker and free its memory. */
  close(): void {
    this.fail("closed");
  }

  private send<R extends Request & { frame: Frame }>(request: R): Promise<Results[R["type"]]> {
    const { frame } = request;
    return this.ask(request, frame instanceof Blob || frame instanceof ImageData ? [] : [frame]);
  }

  private ask<R extends Request>(
    request: R,
    transfer: Transferable[] = [],
  ): Promise<Results[R["type"]]> {
    return new Promise((resolve, reject) => {
      if (this.closed) {
        reject(new FaceDotsError("closed; create another one"));
        return;
      }
      const message: Numbered<Request> = { ...request, id: ++this.lastId };
      this.waiting.set(message.id, { resolve: resolve as Waiting["resolve"], reject });
      this.worker.postMessage(message, transfer);
    });
  }

  private receive(answer: Answer): void {
    if ("progress" in answer) {
      this.onProgress?.(answer.progress);
      return;
    }
    const waiting = this.waiting.get(answer.id);
    this.waiting.delete(answer.id);
    if ("error" in answer) waiting?.reject(new FaceDotsError(answer.error));
    else waiting?.resolve(answer.result);
  }

  private fail(message: string): void {
    this.closed = true;
    this.worker.terminate();
    this.waiting.forEach(({ reject }) => reject(new FaceDotsError(message)));
    this.waiting.clear();
  }
}

/** From a blob, since that is bound by the page's own policy, one from a URL by its host's headers. */
async function startWorker(): Promise<Worker> {
  const code = new Blob([await loadAsset(WORKER)], { type: "text/javascript" });
  const url = URL.createObjectURL(code);
  const worker = new Worker(url);
  setTimeout(() => URL.revokeObjectURL(url), 0);
  return worker;
}

/** What of a source goes to the worker: a copy, the source stays the caller's. */
async function frameOf(source: Source): Promise<Frame> {
  if (source instanceof Blob || source instanceof ImageData) return source;
  if ("HTMLVideoElement" in globalThis && source instanceof HTMLVideoElement) {
    if (source.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) {
      throw new FaceDotsError("the video has no frame yet; wait for its event loadeddata");
    }
    if ("VideoFrame" in globalThis) return new VideoFrame(source);
  }
  // Closed, or not readable by a copy, it has no format.
  if ("VideoFrame" in globalThis && source instanceof VideoFrame && source.format) {
    return source.clone();
  }
  if ("HTMLImageElement" in globalThis && source instanceof HTMLImageElement) {
    await source.decode().catch(() => {
      throw new FaceDotsError(`${source.src} is not an image that this browser can decode`);
    });
  }
  return createImageBitmap(source, DECODING).catch((error: unknown) => {
    throw new FaceDotsError(`the source has no pixels to read: ${messageOf(error)}`);
  });
}

function copyOf(frame: Frame): VideoFrame | Promise<ImageBitmap> {
  if ("VideoFrame" in globalThis && frame instanceof VideoFrame) return frame.clone();
  return createImageBitmap(frame);
}

/** The times of a video's frames in seconds; where several have come, that of the latest. */
async function* frameTimes(video: HTMLVideoElement): AsyncGenerator<number> {
  const latest: number[] = [];
  let wake: (() => void) | undefined;
  const end = () => wake?.();
  const note: VideoFrameRequestCallback = (_now, { mediaTime }) => {
    latest[0] = mediaTime;
    handle = video.requestVideoFrameCallback(note);
    wake?.();
  };
  let handle = video.requestVideoFrameCallback(note);
  video.addEventListener("ended", end);
  try {
    for (;;) {
      const time = latest.pop();
      if (time !== undefined) yield time;
      else if (video.ended) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    video.cancelVideoFrameCallback(handle);
    video.removeEventListener("ended", end);
  }
}
