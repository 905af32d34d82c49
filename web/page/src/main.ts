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
import { openCamera } from "./camera";
import { announce, byId, messageOf, save } from "./dom";
import { drawFaces, type Shown } from "./draw";
import { chosenLook, offerEffects } from "./effects";
import { lookInside } from "./inspect";
import { keepOffline } from "./offline";
import { record } from "./record";
import { FacePanels } from "./signals";

const SAMPLE = "./sample.jpg";
/** Milliseconds between two words on the camera's speed; nobody reads faster. */
const PAUSE = 250;

/** What the visitor asks for; `isLast` tells whether nothing else was asked for meanwhile. */
type Task = (isLast: () => boolean) => Promise<void>;

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
let turn = 0;
let drawing = 0;
/** What is shown or about to be. */
let asked: Task | null = null;
let shown: Shown | null = null;
/** The networks that found the faces. */
let finder: FaceDots | null = null;
let faces: Face[] = [];
/** Whom anonymization hides; all of the image where this is empty. */
let hidden: Face[] = [];
let source = "";
let stream: MediaStream | null = null;
let stopRecording: (() => Promise<Blob>) | null = null;
/** How faces of the camera are looked for: to hide them, small ones too, and in each frame. */
const tracking = {
  get search(): Search {
    return chosenLook()?.anonymize ? "default" : "fast";
  },
  get detectEvery() {
    return chosenLook()?.anonymize ? 1 : 30;
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

/** Do what the visitor asks for; what was asked for before ends, and its errors do not count. */
function begin(task: Task): void {
  stop();
  asked = task;
  const mine = turn;
  const isLast = () => mine === turn;
  task(isLast).catch((error: unknown) => {
    if (isLast()) stop(messageOf(error));
  });
}

/** End what was asked for, and the camera. */
function stop(words?: string): void {
  turn++;
  asked = null;
  stopCamera();
  if (words) say(words);
}

/** The networks, loaded at the first need. */
function load(): Promise<FaceDots> {
  if (dots) return dots;
  const name = model.value as ModelName;
  const onProgress = (share: number) => {
    const percent = Math.round(100 * share);
    const words = share < 1 ? `Loading the networks: ${percent} %` : "Starting the networks …";
    if (dots === loading) say(words);
  };
  const loading = kept.then(() => FaceDots.create({ model: name, onProgress }));
  loading.catch(() => {
    if (dots === loading) dots = null;
  });
  return (dots = loading);
}

/** Find and show the faces of an image file. */
async function openImage(blob: Blob, name: string, isLast: () => boolean): Promise<void> {
  say(`Opening ${name} …`);
  const bitmap = await createImageBitmap(blob).catch(() => {
    throw new Error(
      `${name} is not an image that this browser can decode; for video there is the camera.`,
    );
  });
  const networks = await load();
  if (!isLast()) return;
  source = name;
  offerFiles(false);
  await show(bitmap, [], networks);
  if (!isLast()) return;
  say("Looking for faces …");
  const start = performance.now();
  const found = await networks.detect(blob);
  if (!isLast()) return;
  await show(bitmap, found, networks);
  if (!isLast()) return;
  offerFiles(true);
  say(`${countOf(found)} in ${Math.round(performance.now() - start)} ms.`);
}

async function openSample(isLast: () => boolean): Promise<void> {
  say("Opening the sample …");
  await kept;
  const response = await fetch(SAMPLE).catch(() => null);
  if (!response?.ok) throw new Error("The sample cannot be loaded.");
  await openImage(await response.blob(), "sample.jpg", isLast);
}

/** Draw an image or a frame of the camera with its faces, and list them; what was shown is closed. */
async function show(
  image: Shown,
  found: Face[],
  networks: FaceDots,
  time: number | null = null,
  covered = found,
): Promise<void> {
  if (image !== shown) shown?.close();
  [shown, faces, hidden, finder] = [image, found, covered, networks];
  view.setAttribute("aria-label", `${source}: ${found.length} faces`);
  byId("hint", HTMLElement).hidden = true;
  lookInside({ image, faces: found }, load);
  panels.update(found, time);
  await draw();
}

function offerFiles(measured: boolean): void {
  for (const id of ["png", "json", "csv", "record"]) {
    byId(id, HTMLButtonElement).disabled = !measured;
  }
}

/** Draw what is shown, with the chosen layers and effects. */
async function draw(): Promise<void> {
  if (!shown || !finder) return;
  const mine = ++drawing;
  const [image, found, networks, look] = [shown, faces, finder, chosenLook()];
  // Those that found the faces may be closed.
  const artist = look && (await load());
  if (mine !== drawing) return;
  const dressed = artist && (await artist.dress(image, found, look, hidden));
  if (mine === drawing && context) drawFaces(context, dressed ?? image, found, networks);
  dressed?.close();
}

/** Draw anew, with other choices; where that fails, show nothing that they may hide. */
function redraw(): void {
  draw().catch((error: unknown) => {
    context?.reset();
    complain(error);
  });
}

async function followCamera(isLast: () => boolean): Promise<void> {
  camera.setAttribute("aria-pressed", "true");
  say("Starting the camera …");
  const opened = await openCamera();
  if (!isLast()) {
    opened.getTracks().forEach((track) => track.stop());
    return;
  }
  stream = opened;
  stream.getVideoTracks()[0].onended = () => {
    if (isLast()) stop("The camera was disconnected.");
  };
  const video = document.createElement("video");
  [video.srcObject, video.muted, video.playsInline] = [stream, true, true];
  await video.play();
  source = "camera";
  const networks = await load();
  let [last, count] = [performance.now(), 0];
  panels.clear();
  for await (const frame of networks.track(video, tracking)) {
    if (!isLast()) break;
    const image = await copyOf(frame.image);
    // A frame in which nobody was looked for may show somebody new.
    const covered = frame.searched ? [...frame.faces, ...frame.doubtful] : [];
    await show(image, frame.faces, networks, frame.time, covered);
    if (!isLast()) break;
    offerFiles(true);
    say(`Camera: ${countOf(frame.faces)}.`);
    count++;
    const passed = performance.now() - last;
    if (passed < PAUSE) continue;
    const [ms, rate] = [passed / count, (1000 * count) / passed].map(Math.round);
    speed.textContent = `${ms} ms a frame, ${rate} frames a second`;
    [last, count] = [last + passed, 0];
  }
}

/** Of a camera's frame, which is closed soon. */
function copyOf(image: Shown): Shown | Promise<Shown> {
  return "clone" in image ? image.clone() : createImageBitmap(image);
}

function stopCamera(): void {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  endRecording();
  speed.textContent = "";
  camera.setAttribute("aria-pressed", "false");
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
  const images = Array.from(files ?? []);
  const image = images.at(0);
  if (image) begin((isLast) => openImage(image, image.name, isLast));
  else say("There is no image in it.");
  if (images.length > 1) say(`Opening ${images[0].name}, the first of ${images.length} files …`);
}

byId("open", HTMLButtonElement).onclick = () => file.click();
file.onchange = () => {
  takeFirst(file.files);
  file.value = ""; // so that the same file can be chosen again
};
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
byId("sample", HTMLButtonElement).onclick = () => begin(openSample);
camera.onclick = () => {
  if (camera.ariaPressed === "true") stop();
  else begin(followCamera);
};
byId("layers", HTMLFieldSetElement).onchange = redraw;
offerEffects(redraw, complain);
model.onchange = () => {
  dots?.then((networks) => networks.close()).catch(() => undefined);
  dots = null;
  if (asked) begin(asked);
};
byId("png", HTMLButtonElement).onclick = () => {
  view.toBlob((blob) => {
    if (blob) save(blob, "facedots.png");
    else say("The image is too large for this browser to save.");
  });
};
byId("json", HTMLButtonElement).onclick = () => {
  const results = JSON.stringify(resultsDocument([result()], model.value));
  save(new Blob([results], { type: "application/json" }), "facedots.json");
};
byId("csv", HTMLButtonElement).onclick = () => {
  if (!finder) return;
  const table = resultsTable([result()], finder.spec);
  save(new Blob([table], { type: "text/csv" }), "facedots.csv");
};
recording.onclick = () => {
  if (stopRecording) {
    endRecording();
    return;
  }
  try {
    stopRecording = record(view);
    recording.setAttribute("aria-pressed", "true");
    redraw(); // an image, too, has a frame then
  } catch (error) {
    complain(error);
  }
};
