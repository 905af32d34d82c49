/** "Look inside": the crop of a face that a network sees, and what its layers make of it. */

import type { Face, FaceDots, Inspection } from "facedots";
import { announce, byId, messageOf } from "./dom";
import type { Shown } from "./draw";
import { cropPixels, heatPixels, kernelPixels, mapPixels } from "./tensors";

/** What is on the page. */
interface Subject {
  image: Shown;
  faces: Face[];
}

/** Milliseconds between two frames of the camera. */
const PAUSE = 250;
/** Pixels of the canvas for one of the crop. */
const ZOOM = 4;

const panel = byId("inside", HTMLDetailsElement);
const result = byId("inside-result", HTMLElement);
const crop = byId("inside-crop", HTMLCanvasElement);
const chosenFace = byId("inside-face", HTMLSelectElement);
const chosenPoint = byId("inside-point", HTMLSelectElement);

let load: (() => Promise<FaceDots>) | null = null;
let subject: Subject | null = null;
let inspection: Inspection | null = null;
let busy = false;

/** Show the inside of the network for what is on the page, while the panel is open. */
export function lookInside(shown: Subject, networks: () => Promise<FaceDots>): void {
  [subject, load] = [shown, networks];
  void refresh();
}

/** Follow what is on the page; frames that come while one is worked on are left out. */
async function refresh(): Promise<void> {
  if (busy) return;
  busy = true;
  let done: Subject | null = null;
  while (panel.open && subject && load && subject !== done) {
    done = subject;
    await inspect(subject, load).catch((error: unknown) => say(messageOf(error)));
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  busy = false;
}

async function inspect({ image, faces }: Subject, networks: () => Promise<FaceDots>) {
  listFaces(faces);
  result.hidden = !faces.length;
  if (!faces.length) {
    say("No face to look into.");
    return;
  }
  const face = faces.find((one, i) => faceKey(one, i) === chosenFace.value) ?? faces[0];
  if (!inspection) say("Loading the network with its inside …");
  const dots = await networks();
  if (image !== subject?.image) return; // closed
  inspection = await dots.inspect(image, face);
  if (chosenPoint.options.length === 1) {
    chosenPoint.append(
      ...dots.schema.names.map((name, i) => new Option(name.replaceAll("_", " "), String(i))),
    );
  }
  const [[size], [, height, width]] = [inspection.crop.shape, inspection.heatmaps.shape];
  say(
    `The network tiny sees ${size} × ${size} pixels of the face, and answers with a heatmap of ` +
      `${width} × ${height} cells for each keypoint: where it may be.`,
  );
  drawCrop(inspection);
  drawLayer(inspection);
}

function say(text: string): void {
  announce(byId("inside-status", HTMLElement), text);
}

function faceKey(face: Face, index: number): string {
  return String((face.track_id ?? index) + 1);
}

/** The faces to choose from, the chosen one kept while it is there. */
function listFaces(faces: Face[]): void {
  const keys = faces.map(faceKey);
  if (keys.join() === Array.from(chosenFace.options, ({ value }) => value).join()) return;
  const { value } = chosenFace;
  chosenFace.replaceChildren(...keys.map((key) => new Option(`Face ${key}`, key)));
  if (keys.includes(value)) chosenFace.value = value;
}

/** The crop, over it the heatmap of the chosen keypoint or of all, and the keypoints. */
function drawCrop({ crop: pixels, heatmaps, points }: Inspection): void {
  const keypoint = chosenPoint.value ? Number(chosenPoint.value) : null;
  [crop.height, crop.width] = pixels.shape.map((side) => ZOOM * side);
  const context = contextOf(crop);
  context.imageSmoothingEnabled = false;
  for (const layer of [cropPixels(pixels), heatPixels(heatmaps, keypoint)]) {
    context.drawImage(canvasOf(layer), 0, 0, crop.width, crop.height);
  }
  for (let i = 0; i < points.shape[0]; i++) {
    const [x, y] = placeOf(points.data, i);
    context.beginPath();
    context.arc(x, y, i === keypoint ? 7 : 2.5, 0, 2 * Math.PI);
    context.fillStyle = context.strokeStyle = "#fff";
    context.lineWidth = 3;
    if (i === keypoint) context.stroke();
    else context.fill();
  }
  crop.setAttribute(
    "aria-label",
    `Crop of the face, heatmap: ${chosenPoint.selectedOptions[0].text}`,
  );
}

/** Where a keypoint of the crop is on the canvas; (0, 0) is the center of the top-left pixel. */
function placeOf(points: Float32Array, i: number): [number, number] {
  return [ZOOM * (points[2 * i] + 0.5), ZOOM * (points[2 * i + 1] + 0.5)];
}

/** The kernels of the first layer, each beside its feature map. */
function drawLayer({ kernels, featureMaps }: Inspection): void {
  const items = Array.from({ length: kernels.shape[0] }, (_, i) => {
    const item = document.createElement("li");
    const canvases = [kernelPixels(kernels, i), mapPixels(featureMaps, i)].map(canvasOf);
    [`Kernel ${i}`, `Feature map ${i}`].forEach((label, k) => {
      canvases[k].role = "img";
      canvases[k].ariaLabel = label;
    });
    item.append(...canvases);
    return item;
  });
  byId("inside-kernels", HTMLElement).replaceChildren(...items);
}

function canvasOf(image: ImageData): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  contextOf(canvas).putImageData(image, 0, 0);
  return canvas;
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser draws no canvas.");
  return context;
}

/** The nearest keypoint under the pointer. */
function choosePoint(event: PointerEvent): void {
  if (!inspection) return;
  const scale = crop.width / crop.clientWidth;
  const [x, y] = [event.offsetX * scale, event.offsetY * scale];
  const { data, shape } = inspection.points;
  const distances = Array.from({ length: shape[0] }, (_, i) => {
    const [px, py] = placeOf(data, i);
    return Math.hypot(px - x, py - y);
  });
  chosenPoint.value = String(distances.indexOf(Math.min(...distances)));
  drawCrop(inspection);
}

panel.ontoggle = () => void refresh();
crop.onpointerdown = crop.onpointermove = choosePoint;
chosenPoint.oninput = () => inspection && drawCrop(inspection);
chosenFace.oninput = () => {
  subject &&= { ...subject };
  void refresh();
};
