/** The page: an image or the camera, faces drawn on it, and what is measured of them. */

import {
  FaceDots,
  resultsDocument,
  resultsTable,
  type Face,
  type ImageResult,
  type ModelName,
  type Search,
} from "facedots";
import { announce, byId, messageOf } from "./dom";
import { drawFace, type Layer } from "./draw";
import { drawWithEffects, isAnonymizing, offerEffects } from "./effects";
import { lookInside } from "./inspect";
import { keepOffline } from "./offline";
import { record } from "./record";
import { FacePanels } from "./signals";

const SAMPLE = "./sample.jpg";

type Shown = ImageBitmap | HTMLCanvasElement;

const view = byId("view", HTMLCanvasElement);
const context = view.getContext("2d");
const model = byId("model", HTMLSelectElement);
const camera = byId("camera", HTMLButtonElement);
const stage = byId("stage", HTMLElement);
const recording = byId("record", HTMLButtonElement);
const file = byId("file", HTMLInputElement);
const speed = byId("speed", HTMLElement);
const kept = keepOffline();

let dots: Promise<FaceDots> | null = null;
let shown: Shown | null = null;
let faces: Face[] = [];
/** Whom anonymization hides; all of the image where this is empty. */
let hidden: Face[] = [];
let source = "";
let stream: MediaStream | null = null;
let stopRecording: (() => Promise<Blob>) | null = null;
/** The camera's last frame. */
const still = document.createElement("canvas");
/** How faces of the camera are looked for: to hide them, small ones too, and in each frame. */
const tracking = {
  get search(): Search {
    return isAnonymizing() ? "default" : "fast";
  },
  get detectEvery() {
    return isAnonymizing() ? 1 : 30;
  },
};
const panels = new FacePanels(byId("faces", HTMLElement));

function say(text: string): void {
  announce(byId("status", HTMLElement), text);
}

function countOf(found: Face[]): string {
  if (!found.length) return "No face found";
  return found.length > 1 ? `${found.length} faces` : "1 face";
}

function complain(error: unknown): void {
  say(messageOf(error));
}

/** The networks, loaded at the first need. */
function load(): Promise<FaceDots> {
  dots ??= kept.then(() =>
    FaceDots.create({
      model: model.value as ModelName,
      onProgress: (share) => say(`Loading the networks: ${Math.round(100 * share)} %`),
    }),
  );
  dots.catch(() => (dots = null));
  return dots;
}

/** Find and show the faces of an image file. */
async function openImage(blob: Blob, name: string): Promise<void> {
  stopCamera();
  const bitmap = await createImageBitmap(blob).catch(() => {
    throw new Error(`${name} is not an image that this browser can decode.`);
  });
  source = name;
  show(bitmap, [], await load());
  say("Looking for faces …");
  await measure(blob, bitmap);
}

async function measure(blob: Blob, bitmap: ImageBitmap): Promise<void> {
  const start = performance.now();
  const networks = await load();
  const found = await networks.detect(blob);
  if (shown !== bitmap) return;
  show(bitmap, found, networks);
  say(`${countOf(found)} in ${Math.round(performance.now() - start)} ms.`);
}

/** Draw an image or a frame of the camera with its faces, and list them. */
function show(
  image: Shown,
  found: Face[],
  networks: FaceDots,
  time: number | null = null,
  covered = found,
): void {
  [shown, faces, hidden] = [image, found, covered];
  fit(view, image.width, image.height);
  view.setAttribute("aria-label", `${source}: ${found.length} faces`);
  byId("hint", HTMLElement).hidden = true;
  lookInside({ image, faces: found }, load);
  for (const id of ["png", "json", "csv", "record"]) byId(id, HTMLButtonElement).disabled = false;
  draw(networks);
  panels.update(found, time);
}

/** Give a canvas a size, which clears it where it has another one. */
function fit(canvas: HTMLCanvasElement, width: number, height: number): void {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}

/** Draw what is shown, with the chosen layers and effects. */
function draw(networks: FaceDots): void {
  if (!context || !shown) return;
  const chosen = layers();
  context.resetTransform();
  context.clearRect(0, 0, view.width, view.height);
  if (chosen.has("mirror")) context.setTransform(-1, 0, 0, 1, view.width, 0);
  drawWithEffects(context, shown, faces, hidden);
  for (const face of faces) drawFace(context, face, chosen, networks);
}

function redraw(): void {
  void dots?.then(draw);
}

function layers(): Set<Layer> {
  const boxes = document.querySelectorAll<HTMLInputElement>("#layers input:checked");
  return new Set(Array.from(boxes, (box) => box.name as Layer));
}

async function startCamera(): Promise<void> {
  if (!("mediaDevices" in navigator))
    throw new Error("The camera needs a page from https or localhost.");
  stream = await navigator.mediaDevices.getUserMedia({ video: true }).catch((error: unknown) => {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotAllowedError") throw new Error("The camera was not allowed.");
    throw new Error(
      name === "NotFoundError" ? "There is no camera." : "The camera does not start.",
    );
  });
  camera.setAttribute("aria-pressed", "true");
  const video = document.createElement("video");
  [video.srcObject, video.muted, video.playsInline] = [stream, true, true];
  await video.play();
  source = "camera";
  const networks = await load();
  let last = performance.now();
  panels.clear();
  for await (const frame of networks.track(video, tracking)) {
    if (video.srcObject !== stream) break;
    fit(still, frame.width, frame.height);
    still.getContext("2d")?.drawImage(frame.image, 0, 0);
    // A frame in which nobody was looked for may show somebody new.
    const covered = frame.searched ? [...frame.faces, ...frame.doubtful] : [];
    show(still, frame.faces, networks, frame.time, covered);
    const now = performance.now();
    say(`Camera: ${countOf(faces)}.`);
    speed.textContent = `${Math.round(now - last)} ms a frame`;
    last = now;
  }
}

function stopCamera(): void {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  endRecording();
  speed.textContent = "";
  camera.setAttribute("aria-pressed", "false");
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** What is shown, as the files of results have it. */
function result(): ImageResult {
  return { source, width: view.width, height: view.height, faces };
}

function endRecording(): void {
  void stopRecording?.().then((video) => save(video, "facedots.webm"));
  stopRecording = null;
  recording.setAttribute("aria-pressed", "false");
}

function takeFirst(files: Iterable<File> | null | undefined): void {
  const image = Array.from(files ?? []).at(0);
  if (image) openImage(image, image.name).catch(complain);
}

byId("open", HTMLButtonElement).onclick = () => file.click();
file.onchange = () => takeFirst(file.files);
document.onpaste = (event) => takeFirst(event.clipboardData?.files);
document.ondragover = (event) => {
  event.preventDefault();
  stage.classList.add("over");
};
document.ondragleave = () => stage.classList.remove("over");
document.ondrop = (event) => {
  event.preventDefault();
  stage.classList.remove("over");
  takeFirst(event.dataTransfer?.files);
};
byId("sample", HTMLButtonElement).onclick = () => {
  kept
    .then(() => fetch(SAMPLE))
    .then((response) => response.blob())
    .then((blob) => openImage(blob, "sample.jpg"))
    .catch(complain);
};
camera.onclick = () => {
  if (stream) stopCamera();
  else startCamera().catch(complain);
};
byId("layers", HTMLFieldSetElement).onchange = redraw;
offerEffects(redraw, complain);
model.onchange = () => {
  void dots?.then((networks) => networks.close());
  dots = null;
  stopCamera();
  say("The next image is measured with the other network.");
};
byId("png", HTMLButtonElement).onclick = () => {
  view.toBlob((blob) => blob && save(blob, "facedots.png"));
};
byId("json", HTMLButtonElement).onclick = () => {
  const results = JSON.stringify(resultsDocument([result()], model.value));
  save(new Blob([results], { type: "application/json" }), "facedots.json");
};
byId("csv", HTMLButtonElement).onclick = () => {
  save(new Blob([resultsTable([result()])], { type: "text/csv" }), "facedots.csv");
};
recording.onclick = () => {
  if (stopRecording) {
    endRecording();
    return;
  }
  try {
    stopRecording = record(view);
    recording.setAttribute("aria-pressed", "true");
  } catch (error) {
    complain(error);
  }
};
