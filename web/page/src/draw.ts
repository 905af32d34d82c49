/** Faces on a canvas. */

import {
  ellipse,
  guessCamera,
  headModel,
  isHidden,
  project,
  type Face,
  type FaceDots,
  type Point,
} from "facedots";
import { fit } from "./dom";

/** An image, or a frame of the camera. */
export type Shown = ImageBitmap | VideoFrame;
type Layer = "dots" | "lines" | "numbers" | "ellipses" | "box" | "axes" | "mirror";

const COLORS = ["#ffd166", "#06d6a0", "#4cc9f0", "#f78c6b", "#c77dff", "#ff7aa2", "#f94144"];
const AXES = ["#ff3c3c", "#3cdc3c", "#4682ff"];
/** Rim and inside of a pupil's dot, with their sizes in those of other dots. */
const PUPIL = [
  ["#141414", 1.4],
  ["#fff", 1],
] as const;
const NOSE_ROOT = 27;
const AXIS_LENGTH = 0.6;
const WITHIN = 0.9;

/** Draw an image with the chosen layers of its faces; the canvas takes its size. */
export function drawFaces(
  context: CanvasRenderingContext2D,
  image: Shown,
  faces: readonly Face[],
  dots: FaceDots,
): void {
  const { canvas } = context;
  fit(canvas, ...sizeOf(image));
  const layers = chosenLayers();
  context.resetTransform();
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (layers.has("mirror")) context.setTransform(-1, 0, 0, 1, canvas.width, 0);
  context.drawImage(image, 0, 0);
  for (const face of faces) drawFace(context, face, layers, dots);
}

function sizeOf(image: Shown): [width: number, height: number] {
  return "width" in image ? [image.width, image.height] : [image.displayWidth, image.displayHeight];
}

function chosenLayers(): Set<Layer> {
  const boxes = document.querySelectorAll<HTMLInputElement>("#layers input:checked");
  return new Set(Array.from(boxes, (box) => box.name as Layer));
}

/** Draw the layers of a face; lengths follow its size. */
function drawFace(
  context: CanvasRenderingContext2D,
  face: Face,
  layers: ReadonlySet<Layer>,
  dots: FaceDots,
): void {
  const [x0, y0, x1, y1] = face.box;
  const unit = Math.max(Math.max(x1 - x0, y1 - y0) / 160, 0.6);
  const regions = Object.values(dots.schema.regions);
  const color = (i: number) => COLORS[regions.findIndex((region) => region.includes(i))];
  context.save();
  // (0, 0) is the center of the top-left pixel.
  context.translate(0.5, 0.5);
  context.lineWidth = unit;
  if (layers.has("box")) {
    context.strokeStyle = "#fff";
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
  if (layers.has("lines")) {
    for (const [i, j] of dots.schema.edges) {
      strokeLine(context, face.points[i], face.points[j], color(i));
    }
  }
  face.points.forEach(([x, y], i) => {
    context.fillStyle = context.strokeStyle = color(i);
    if (layers.has("ellipses")) {
      const { axes, angle } = ellipse(face.covariance[i], WITHIN, dots.spec.dof);
      context.beginPath();
      context.ellipse(x, y, axes[0], axes[1], angle, 0, 2 * Math.PI);
      context.globalAlpha = 0.25;
      context.fill();
      context.globalAlpha = 1;
    }
    if (layers.has("dots")) drawDot(context, face.points[i], unit, isHidden(face, i));
    if (layers.has("numbers")) {
      context.font = `${5 * unit}px sans-serif`;
      context.save();
      context.translate(x + 1.5 * unit, y - 1.5 * unit);
      if (layers.has("mirror")) context.scale(-1, 1);
      context.fillText(String(i), 0, 0);
      context.restore();
    }
  });
  if (layers.has("dots")) face.pupils?.forEach((pupil) => drawPupil(context, pupil, unit));
  if (layers.has("axes")) drawAxes(context, face, 2 * unit);
  context.restore();
}

/** A dot in the context's colors, a hollow one for a hidden point. */
function drawDot(
  context: CanvasRenderingContext2D,
  [x, y]: Point,
  unit: number,
  hidden: boolean,
): void {
  const [inner, outer] = [0.7 * unit, 1.2 * unit];
  context.beginPath();
  context.arc(x, y, outer, 0, 2 * Math.PI);
  if (hidden) context.arc(x, y, inner, 0, 2 * Math.PI, true);
  context.fill();
}

/** A white dot with a dark rim, which shows on the white of the eye. */
function drawPupil(context: CanvasRenderingContext2D, pupil: Point, unit: number): void {
  for (const [color, size] of PUPIL) {
    context.fillStyle = color;
    drawDot(context, pupil, size * unit, false);
  }
}

/** The axes of the head: to the subject's left, down, straight ahead. */
function drawAxes(context: CanvasRenderingContext2D, { pose }: Face, width: number): void {
  if (!pose) return;
  const camera = guessCamera(context.canvas.width, context.canvas.height);
  const root = headModel[NOSE_ROOT];
  const start = project(root, pose, camera);
  const tips = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, -1],
  ];
  context.lineWidth = width;
  tips.forEach((tip, axis) => {
    const end = tip.map((value, k) => root[k] + value * AXIS_LENGTH);
    strokeLine(context, start, project(end, pose, camera), AXES[axis]);
  });
}

function strokeLine(
  context: CanvasRenderingContext2D,
  from: readonly number[],
  to: readonly number[],
  color: string,
): void {
  context.strokeStyle = color;
  context.beginPath();
  context.moveTo(from[0], from[1]);
  context.lineTo(to[0], to[1]);
  context.stroke();
}
