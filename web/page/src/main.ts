/** The page: an image or the camera, faces drawn on it, and what is measured of them. */

import { FaceDots, resultsDocument, type Face, type ModelName } from "facedots";
import { byId } from "./dom";
import { drawFace, type Layer } from "./draw";
import { lookInside } from "./inspect";

const SAMPLE = "./sample.png";

type Shown = ImageBitmap | HTMLVideoElement;

const view = byId("view", HTMLCanvasElement);
const context = view.getContext("2d");
const model = byId("model", HTMLSelectElement);
const camera = byId("camera", HTMLButtonElement);
const stage = byId("stage", HTMLElement);
const file = byId("file", HTMLInputElement);

let dots: Promise<FaceDots> | null = null;
let shown: Shown | null = null;
let faces: Face[] = [];
let source = "";
let stream: MediaStream | null = null;

/** Say something on the page, and to screen readers. */
function say(text: string): void {
  byId("status", HTMLElement).textContent = text;
}

function complain(error: unknown): void {
  say(error instanceof Error ? error.message : String(error));
}

/** The networks, loaded at the first need. */
function load(): Promise<FaceDots> {
  dots ??= FaceDots.create({
    model: model.value as ModelName,
    onProgress: (share) => say(`Loading the networks: ${Math.round(100 * share)} %`),
  });
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
  const count = found.length ? `${found.length} ${found.length > 1 ? "faces" : "face"}` : "No face";
  say(`${count} in ${Math.round(performance.now() - start)} ms.`);
}

/** Draw an image or a frame with its faces, and list them. */
function show(image: Shown, found: Face[], networks: FaceDots): void {
  const video = image instanceof HTMLVideoElement;
  [shown, faces] = [image, found];
  view.width = video ? image.videoWidth : image.width;
  view.height = video ? image.videoHeight : image.height;
  view.setAttribute("aria-label", `${source}: ${found.length} faces`);
  byId("hint", HTMLElement).hidden = true;
  lookInside({ image, faces: found }, load);
  for (const id of ["png", "json"]) byId(id, HTMLButtonElement).disabled = false;
  if (!context) return;
  context.drawImage(image, 0, 0);
  for (const face of found) drawFace(context, face, layers(), networks);
  byId("faces", HTMLElement).replaceChildren(...found.map(describe));
}

function layers(): Set<Layer> {
  const boxes = document.querySelectorAll<HTMLInputElement>("fieldset input:checked");
  return new Set(Array.from(boxes, (box) => box.name as Layer));
}

/** A table of what is measured of a face. */
function describe(face: Face, index: number): HTMLTableElement {
  const table = document.createElement("table");
  table.createCaption().textContent = `Face ${(face.track_id ?? index) + 1}`;
  const rows: [string, number, number][] = [["score", face.score, 2]];
  if (face.pose) {
    for (const name of ["yaw", "pitch", "roll"] as const)
      rows.push([`${name} °`, face.pose[name], 0]);
  }
  for (const [name, value] of Object.entries(face.signals ?? {})) {
    rows.push([name.replaceAll("_", " "), value, 2]);
  }
  for (const [name, value, digits] of rows) {
    const row = table.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    row.insertCell().textContent = value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1");
  }
  return table;
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
  for await (const { faces } of networks.track(video)) {
    if (video.srcObject !== stream) break;
    show(video, faces, networks);
    const now = performance.now();
    say(
      `${faces.length || "No"} ${faces.length > 1 ? "faces" : "face"}, ${Math.round(now - last)} ms a frame.`,
    );
    last = now;
  }
}

function stopCamera(): void {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  camera.setAttribute("aria-pressed", "false");
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
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
  fetch(SAMPLE)
    .then((response) => response.blob())
    .then((blob) => openImage(blob, "sample.png"))
    .catch(complain);
};
camera.onclick = () => {
  if (stream) stopCamera();
  else startCamera().catch(complain);
};
document.querySelector("fieldset")?.addEventListener("change", () => {
  if (shown && dots) void dots.then((networks) => shown && show(shown, faces, networks));
});
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
  const { width, height } = view;
  const results = resultsDocument([{ source, width, height, faces }], model.value);
  save(new Blob([JSON.stringify(results)], { type: "application/json" }), "facedots.json");
};
