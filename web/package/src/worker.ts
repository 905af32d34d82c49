/** The worker: everything that takes time, away from the page's thread. */

import { analyzeFaces } from "./analyzer";
import { loadAsset } from "./assets";
import { models } from "./constants";
import { readFrame } from "./decode";
import { FaceDotsError, messageOf } from "./errors";
import type { Image } from "./image";
import { inspectFace } from "./inspection";
import { dress } from "./look";
import type {
  Answer,
  AnyResult,
  Numbered,
  OpenRequest,
  Request,
  Result,
  TrackRequest,
  TrackResult,
} from "./messages";
import { findFaces } from "./pipeline";
import { KeypointPredictor } from "./predictor";
import { SearchingDetector } from "./search";
import { Session } from "./session";
import { Tracker } from "./tracker";
import type { Face } from "./types";

interface Networks {
  detector: SearchingDetector;
  predictor: KeypointPredictor;
}

let networks: Networks | null = null;
let inspected: Promise<Session> | null = null;
const trackers = new Map<number, Tracker>();

async function open({ model, urls, minScore }: OpenRequest): Promise<Networks> {
  if (typeof WebAssembly === "undefined") {
    throw new FaceDotsError("WebAssembly is missing or switched off in this browser");
  }
  const shares = { detector: 0, network: 0, runtime: 0 };
  const load = (name: keyof typeof shares) =>
    loadAsset(urls[name], (share) => {
      shares[name] = share;
      answer({ progress: (shares.detector + shares.network + shares.runtime) / 3 });
    });
  const [runtime, detector, network] = await Promise.all([
    load("runtime"),
    load("detector"),
    load("network"),
  ]);
  const session = await Session.open(network, runtime.buffer);
  return {
    detector: new SearchingDetector(await Session.open(detector, runtime.buffer), minScore),
    predictor: new KeypointPredictor(session, models[model]),
  };
}

async function handle(request: Request): Promise<AnyResult> {
  if (request.type === "open") {
    networks = await open(request);
    return null;
  }
  if (request.type === "forget") {
    trackers.delete(request.tracker);
    return null;
  }
  if (request.type === "dress") {
    return dress(request.frame, request.faces, request.hidden, request.look);
  }
  if (!networks) throw new FaceDotsError("the networks are not loaded");
  const image = await readFrame(request.frame);
  if (request.type === "inspect") {
    return inspectFace(await openInspected(request.url), image, request.points);
  }
  if (request.type === "track") return track(request, networks, image);
  const faces = await findFaces(image, networks.detector, networks.predictor);
  return result(faces, image);
}

/** The network of the inspection file, loaded at the first need. */
function openInspected(url: string): Promise<Session> {
  inspected ??= loadAsset(url).then((network) => Session.open(network));
  inspected.catch(() => (inspected = null));
  return inspected;
}

async function track(
  { tracker: id, time, options }: TrackRequest,
  { detector, predictor }: Networks,
  image: Image,
): Promise<TrackResult> {
  const tracker = trackers.get(id) ?? new Tracker(detector, predictor);
  trackers.set(id, tracker);
  const { faces, ...rest } = await tracker.update(image, time, options);
  return { ...result(faces, image), ...rest };
}

function result(faces: Face[], { width, height }: Image): Result {
  return { faces: analyzeFaces(faces, width, height), width, height };
}

function answer(message: Answer): void {
  const isImage = "result" in message && message.result instanceof ImageBitmap;
  postMessage(message, { transfer: isImage ? [message.result as ImageBitmap] : [] });
}

let last: Promise<void> = Promise.resolve();

addEventListener("message", ({ data }: MessageEvent<Numbered<Request>>) => {
  // One after the other: a tracker needs its frames in order.
  last = last
    .then(() => handle(data))
    .then(
      (result) => answer({ id: data.id, result }),
      (error: unknown) => answer({ id: data.id, error: messageOf(error) }),
    );
});
