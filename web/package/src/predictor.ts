/** From boxes to keypoints, all faces of an image in one batch, as Python's `KeypointPredictor`. */

import { models, predictor, schema } from "./constants";
import {
  applyAffine,
  boxCenter,
  boxSide,
  compose,
  cropMatrix,
  degrees,
  invert,
  isInside,
  uprightSquare,
  type Box,
  type Matrix,
  type Point,
  type Square,
} from "./geometry";
import { toRgb, type Image } from "./image";
import type { Session, Tensor } from "./session";
import type { Detection, Face } from "./types";
import { confidence, mapCovariance, sigmaOf, type Covariance } from "./uncertainty";
import { warpImage } from "./warp";

export type ModelName = keyof typeof models;

/** How a network is fed, and what its covariances mean. */
export interface ModelSpec {
  /** Side of its square input, in pixels. */
  readonly inputSize: number;
  /** Side of the crop over the longer side of the box. */
  readonly cropScale: number;
  /** Degrees of freedom of the Student law of the errors; null for a Gaussian. */
  readonly dof: number | null;
  /** Whether it tells which points are hidden. */
  readonly predictsVisibility: boolean;
  /** Whether it finds the pupils. */
  readonly predictsPupils: boolean;
}

/** What a network answers, by the names of a face. */
type Prediction = Pick<
  Face,
  "points" | "covariance" | "score" | "visibility" | "pupils" | "pupils_covariance"
>;

export class KeypointPredictor {
  constructor(
    private readonly session: Pick<Session, "run">,
    readonly spec: ModelSpec,
  ) {}

  /** The keypoints in boxes, or in tilted squares where they are known; one face for each. */
  async predict(image: Image, detections: readonly Pick<Detection, "box" | "square">[]) {
    const maps = detections.map(({ box, square }) => this.map(square ?? levelSquare(box)));
    const predictions = await this.predictCrops(image, maps);
    const better = predictions.map(({ points }) =>
      this.map(uprightSquare(points, schema.right_to_left)),
    );
    const rows = maps.flatMap((map, i) => (this.misfits(map, better[i]) ? [i] : []));
    const refined = await this.predictCrops(
      image,
      rows.map((i) => better[i]),
    );
    rows.forEach((row, i) => (predictions[row] = refined[i]));
    return predictions.map((prediction, i) => this.face(prediction, detections[i].box));
  }

  /** The network's answer on a batch of crops `(N, S, S, 3)`, in pixels of the crops. */
  async run(crops: Uint8Array): Promise<Prediction[]> {
    const size = this.spec.inputSize;
    const count = crops.length / (size * size * 3);
    const outputs = await this.session.run("crops", crops, [count, size, size, 3]);
    const { points, covariance, score, visibility, pupils, pupils_covariance: spread } = outputs;
    return Array.from({ length: count }, (_, n) => ({
      points: pointsOf(points, n),
      covariance: covarianceOf(covariance, n),
      score: score.data[n],
      ...("visibility" in outputs && { visibility: Array.from(rowOf(visibility, n)) }),
      ...("pupils" in outputs && { pupils: pointsOf(pupils, n) }),
      ...("pupils_covariance" in outputs && { pupils_covariance: covarianceOf(spread, n) }),
    }));
  }

  /** From the image to the crop of the square around the keypoints. */
  private map([x, y, side, roll]: Square): Matrix {
    return cropMatrix([x, y, side * this.spec.cropScale, roll], this.spec.inputSize);
  }

  /** Whether the crop of a prediction, by its map, was off from the better one. */
  private misfits(used: Matrix, better: Matrix): boolean {
    const step = compose(better, invert(used));
    const middle = (this.spec.inputSize - 1) / 2;
    const [x, y] = applyAffine(step, [middle, middle]);
    const off = [
      Math.hypot(x - middle, y - middle) / this.spec.inputSize,
      degrees(Math.atan2(step[3], step[0])),
      Math.log(Math.hypot(step[0], step[3])),
    ];
    return off.some((value, i) => Math.abs(value) > predictor.FITTING[i]);
  }

  /** The predictions on the crops of affine maps (image to crop), in pixels of the image. */
  private async predictCrops(image: Image, maps: Matrix[]): Promise<Prediction[]> {
    const predictions: Prediction[] = [];
    for (let start = 0; start < maps.length; start += predictor.BATCH) {
      const batch = maps.slice(start, start + predictor.BATCH);
      predictions.push(...(await this.run(this.cutCrops(image, batch))));
    }
    return predictions.map((prediction, i) => {
      const { covariance, visibility, pupils, pupils_covariance: spread } = prediction;
      const back = invert(maps[i]);
      const moved = (all: Point[]) => all.map((point) => applyAffine(back, point));
      const scaled = (all: Covariance[]) => all.map((one) => mapCovariance(back, one));
      const points = moved(prediction.points);
      // A network does not know where its crop leaves the image.
      const seen = visibility?.map((value, k) => (isInside(points[k], image) ? value : 0));
      return {
        ...prediction,
        points,
        covariance: scaled(covariance),
        ...(seen && { visibility: seen }),
        ...(pupils && { pupils: moved(pupils) }),
        ...(spread && { pupils_covariance: scaled(spread) }),
      };
    });
  }

  /** The network's input `(N, S, S, 3)`: a crop for each affine map from image to crop. */
  cutCrops(image: Image, maps: readonly Matrix[]): Uint8Array {
    const size = this.spec.inputSize;
    const crops = new Uint8Array(maps.length * size * size * 3);
    maps.forEach((map, i) => {
      crops.set(toRgb(warpImage(image, map, size, size)), i * size * size * 3);
    });
    return crops;
  }

  private face(prediction: Prediction, box: Box): Face {
    const { points, covariance } = prediction;
    return {
      ...prediction,
      box,
      sigma: covariance.map(sigmaOf),
      confidence: confidence(points, covariance, this.spec.dof),
      schema: schema.name,
    };
  }
}

/** The numbers of one crop of a batch. */
function rowOf({ data, shape }: Tensor, row: number): Float32Array {
  const length = data.length / shape[0];
  return data.subarray(row * length, (row + 1) * length);
}

/** Those of one crop as points. */
function pointsOf(tensor: Tensor, row: number): Point[] {
  const values = rowOf(tensor, row);
  return Array.from({ length: values.length / 2 }, (_, i) => [values[2 * i], values[2 * i + 1]]);
}

/** Those of one crop as covariances. */
function covarianceOf(tensor: Tensor, row: number): Covariance[] {
  const values = rowOf(tensor, row);
  return Array.from({ length: values.length / 4 }, (_, i) => [
    values[4 * i],
    values[4 * i + 1],
    values[4 * i + 3],
  ]);
}

/** The square around the center of a box, as large as its longer side. */
function levelSquare(box: Box): Square {
  return [...boxCenter(box), boxSide(box), 0];
}
