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
  uprightSquare,
  type Box,
  type Matrix,
  type Point,
  type Square,
} from "./geometry";
import type { Image } from "./image";
import type { Session } from "./session";
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
}

interface Prediction {
  points: Point[];
  covariance: Covariance[];
  score: number;
}

export class KeypointPredictor {
  constructor(
    private readonly session: Session,
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
    const [points, covariance] = [outputs.points.data, outputs.covariance.data];
    return Array.from({ length: count }, (_, n) => {
      const indices = schema.names.map((_, k) => n * schema.names.length + k);
      return {
        points: indices.map((i): Point => [points[2 * i], points[2 * i + 1]]),
        covariance: indices.map((i): Covariance => {
          return [covariance[4 * i], covariance[4 * i + 1], covariance[4 * i + 3]];
        }),
        score: outputs.score.data[n],
      };
    });
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
    return predictions.map(({ points, covariance, score }, i) => {
      const back = invert(maps[i]);
      return {
        points: points.map((point) => applyAffine(back, point)),
        covariance: covariance.map((one) => mapCovariance(back, one)),
        score,
      };
    });
  }

  /** The network's input `(N, S, S, 3)`: a crop for each affine map from image to crop. */
  cutCrops(image: Image, maps: readonly Matrix[]): Uint8Array {
    const size = this.spec.inputSize;
    const crops = new Uint8Array(maps.length * size * size * 3);
    maps.forEach((map, i) =>
      crops.set(warpImage(image, map, size, size).data, i * size * size * 3),
    );
    return crops;
  }

  private face({ points, covariance, score }: Prediction, box: Box): Face {
    return {
      score,
      box,
      points,
      sigma: covariance.map(sigmaOf),
      covariance,
      confidence: confidence(points, covariance, this.spec.dof),
      schema: schema.name,
    };
  }
}

/** The square around the center of a box, as large as its longer side. */
function levelSquare(box: Box): Square {
  return [...boxCenter(box), boxSide(box), 0];
}
