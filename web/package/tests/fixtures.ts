/** What Python computed (tools/web_fixtures.py), and the networks in Node. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { models } from "../src/constants";
import type { Point } from "../src/geometry";
import { blackImage, type Image } from "../src/image";
import { KeypointPredictor, type ModelName, type ModelSpec } from "../src/predictor";
import type { ImageResult } from "../src/results";
import { Session, type Tensor } from "../src/session";
import type { Detection, Face, Gaze, HeadPose } from "../src/types";
import type { Covariance } from "../src/uncertainty";

interface ImageFile {
  name: string;
  width: number;
  height: number;
}

interface TensorFile {
  name: string;
  shape: number[];
}

interface Table {
  images: Pick<ImageResult, "source" | "faces">[];
  csv: string;
}

/** Those of the package, and one that also predicts pupils and visibility. */
type NetworkName = ModelName | "eyes";

interface Cases {
  warps: { image: ImageFile; matrix: number[]; crop: ImageFile }[];
  resized: { image: ImageFile; resized: ImageFile }[];
  networks: {
    model: NetworkName;
    crops: ImageFile;
    outputs: { points: Point[][]; covariance: Covariance[][]; score: number[] } & Partial<{
      pupils: Point[][];
      pupils_covariance: Covariance[][];
      visibility: number[][];
    }>;
  }[];
  inside: Record<"points" | "heatmaps" | "kernels" | "featureMaps", TensorFile> & {
    image: ImageFile;
    face: Point[];
    crop: ImageFile;
  };
  images: {
    image: ImageFile;
    detections: Record<"default" | "fast", Detection[]>;
    faces: Required<Face>[];
    document: ImageResult;
  }[];
  effects: { effect: string; image: ImageFile; faces: Face[]; result: ImageFile }[];
  stickers: ImageFile[];
  table: Table;
  eyesTable: Table;
  decoded: { file: string; image: ImageFile; exact: boolean }[];
  poses: { points: Point[]; pose: HeadPose }[];
  gazes: {
    width: number;
    height: number;
    faces: (Required<Omit<Face, "gaze">> & { gaze: Gaze | null })[];
  };
  smoothing: { time: number; points: Point[]; sigma: number[]; smooth: Point[] }[];
  blinks: { opening: number; time: number; count: number }[];
  assignments: { costs: number[][]; limit: number; pairs: [number, number][] }[];
  clip: {
    rate: number;
    frames: { image: ImageFile; faces: Required<Face>[]; runs: number }[];
  };
}

const FOLDER = new URL("fixtures/", import.meta.url);
const WASM = "onnxruntime-web/ort-wasm-simd-threaded.wasm";

export const cases = JSON.parse(readFileSync(new URL("cases.json", FOLDER), "utf8")) as Cases;

/** The bytes of a fixture, three or four a pixel. */
export function readPixels({ name }: ImageFile): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${name}.rgb`, FOLDER)));
}

export function readImage(file: ImageFile): Image {
  const image = blackImage(file.width, file.height);
  readPixels(file).forEach((value, i) => (image.data[i + Math.floor(i / 3)] = value));
  return image;
}

/** The numbers of a fixture. */
export function readTensor({ name, shape }: TensorFile): Tensor {
  const bytes = new Uint8Array(readFileSync(new URL(`${name}.f32`, FOLDER)));
  return { data: new Float32Array(bytes.buffer), shape };
}

export const eyesSpec: ModelSpec = {
  ...models.tiny,
  predictsVisibility: true,
  predictsPupils: true,
};

/** A network of the package, or of the fixtures. */
export async function openSession(name: NetworkName | "inspection" | "retinaface") {
  const wasm = readFileSync(createRequire(import.meta.url).resolve(WASM));
  const folder = name === "eyes" ? FOLDER : new URL("../assets/", import.meta.url);
  const network = readFileSync(new URL(`${name}.onnx`, folder));
  return Session.open(new Uint8Array(network), new Uint8Array(wasm).buffer);
}

export async function openPredictor(name: NetworkName): Promise<KeypointPredictor> {
  return new KeypointPredictor(await openSession(name), name === "eyes" ? eyesSpec : models[name]);
}

/** The largest distance between points of the same index. */
export function farthest(points: readonly Point[], others: readonly Point[]): number {
  return Math.max(...points.map(([x, y], i) => Math.hypot(x - others[i][0], y - others[i][1])));
}

/** The largest difference between numbers of the same index. */
export function largestGap(values: Iterable<number>, others: ArrayLike<number>): number {
  const gap = (value: number, other: number) =>
    Object.is(value, other) ? 0 : Math.abs(value - other);
  return Math.max(...Array.from(values, (value, i) => gap(value, others[i] ?? NaN))); // NaN is null
}
