/** What a network makes of a face: the inspection file is `tiny` with these tensors as outputs. */

import { inspection, models, schema } from "./constants";
import { cropMatrix, uprightSquare, type Point } from "./geometry";
import { toRgb, type Image } from "./image";
import type { Session, Tensor } from "./session";
import { warpImage } from "./warp";

/** One face inside the network `tiny`. */
export interface Inspection {
  /** What the network sees, the upright square around the face: `[S, S, 3]`, RGB. */
  crop: Tensor<Uint8Array>;
  /** The keypoints that it finds in the crop, in pixels of the crop: `[68, 2]`. */
  points: Tensor;
  /** Of each keypoint, the probability of each cell of the crop: `[68, h, w]`. */
  heatmaps: Tensor;
  /** Of the first layer, over red, green and blue: `[O, 3, h, w]`. */
  kernels: Tensor;
  /** The output of each of these kernels for the crop, before the ReLU: `[O, H, W]`. */
  featureMaps: Tensor;
}

const { inputSize, cropScale } = models[inspection];

/** What the network makes of the face with these keypoints in an image. */
export async function inspectFace(
  session: Session,
  image: Image,
  face: readonly Point[],
): Promise<Inspection> {
  const [x, y, side, roll] = uprightSquare(face, schema.right_to_left);
  const map = cropMatrix([x, y, side * cropScale, roll], inputSize);
  return inspectCrop(session, toRgb(warpImage(image, map, inputSize, inputSize)));
}

/** What the network makes of a crop `[S, S, 3]`. */
export async function inspectCrop(session: Session, crop: Uint8Array): Promise<Inspection> {
  const shape = [inputSize, inputSize, 3];
  const outputs = await session.run("crops", crop, [1, ...shape]);
  const ofFirst = ({ data, shape: [, ...rest] }: Tensor): Tensor => ({ data, shape: rest });
  return {
    crop: { data: crop, shape },
    points: ofFirst(outputs.points),
    heatmaps: ofFirst(outputs.heatmaps),
    kernels: outputs.kernels,
    featureMaps: ofFirst(outputs.feature_maps),
  };
}
