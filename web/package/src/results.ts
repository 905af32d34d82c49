/** Faces as Python's results document (docs/results.md): JSON, rounded as there. */

import { schema } from "./constants";
import { round } from "./geometry";
import type { Face } from "./types";

const SCHEMA_VERSION = 1;

/** The faces of one image. */
export interface ImageResult {
  /** The name of the image. */
  source: string;
  width: number;
  height: number;
  faces: Face[];
}

export interface ResultsDocument {
  schema_version: number;
  schema: string;
  point_names: readonly string[];
  model: string;
  images: ImageResult[];
}

/** The document that `facedots predict --json` writes, for `JSON.stringify`. */
export function resultsDocument(images: readonly ImageResult[], model: string): ResultsDocument {
  return {
    schema_version: SCHEMA_VERSION,
    schema: schema.name,
    point_names: schema.names,
    model,
    images: images.map((image) => ({ ...image, faces: image.faces.map(roundedFace) })),
  };
}

function roundedFace(face: Face): Face {
  const { pose, signals, detection_score: score } = face;
  return {
    ...face,
    score: rounded(face.score, 4),
    box: rounded(face.box, 2),
    points: rounded(face.points, 2),
    sigma: rounded(face.sigma, 2),
    covariance: rounded(face.covariance, 4),
    confidence: rounded(face.confidence, 4),
    ...(score !== undefined && { detection_score: rounded(score, 4) }),
    ...(pose && {
      pose: {
        yaw: rounded(pose.yaw, 2),
        pitch: rounded(pose.pitch, 2),
        roll: rounded(pose.roll, 2),
        translation: rounded(pose.translation, 4),
        reprojection_error: rounded(pose.reprojection_error, 4),
      },
    }),
    ...(signals && { signals: rounded(signals, 4) }),
  };
}

/** Numbers, and those in arrays and objects, with this many decimals. */
function rounded<T>(value: T, digits: number): T {
  const scale = 10 ** digits;
  const each = (one: unknown): unknown => {
    if (typeof one === "number") return round(one * scale) / scale;
    if (Array.isArray(one)) return one.map(each);
    const entries = Object.entries(one as object).map(([name, entry]) => [name, each(entry)]);
    return Object.fromEntries(entries) as unknown;
  };
  return each(value) as T;
}
