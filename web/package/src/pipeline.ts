/** From an image to faces, as Python's `Pipeline`. */

import type { Image } from "./image";
import type { KeypointPredictor } from "./predictor";
import type { SearchingDetector } from "./search";
import type { Face } from "./types";

/** The faces in an image, highest score first. */
export async function findFaces(
  image: Image,
  detector: SearchingDetector,
  predictor: KeypointPredictor,
): Promise<Face[]> {
  const detections = await detector.detect(image);
  const faces = await predictor.predict(image, detections);
  return faces
    .map((face, i) => ({ ...face, detection_score: detections[i].score }))
    .sort((a, b) => b.score - a.score);
}
