/** Faces as Python's results document and table (docs/results.md): JSON and CSV, rounded as there. */

import { results, schema } from "./constants";
import { round } from "./geometry";
import type { ModelSpec } from "./predictor";
import type { Face } from "./types";
import { sigmaOf } from "./uncertainty";

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
    schema_version: results.SCHEMA_VERSION,
    schema: schema.name,
    point_names: schema.names,
    model,
    images: images.map((image) => ({ ...image, faces: image.faces.map(roundedFace) })),
  };
}

/**
 * The table that `facedots predict --csv` writes: a row for each face, or for an image without; its
 * columns are those of what the network predicts.
 */
export function resultsTable(images: readonly ImageResult[], spec: ModelSpec): string {
  const columns = columnsOf(spec);
  const rows = images.flatMap(({ source, faces }, i) => {
    const image = { frame: i + 1, source: csvText(source) };
    if (!faces.length) return [{ ...image, face_id: 0, confidence: 0, success: 0 }];
    return faces.map((face, id) => ({ ...image, face_id: id, success: 1, ...valuesOf(face) }));
  });
  const lines = rows.map((row: Record<string, number | string>) =>
    columns.map((name) => csvCell(row[name], DECIMALS[name])).join(","),
  );
  return [columns.join(","), ...lines, ""].join("\n");
}

const DECIMALS: Readonly<Record<string, number>> = results.DECIMALS;

/** The columns of a network that predicts visibility or pupils, or does not. */
function columnsOf({ predictsVisibility, predictsPupils }: ModelSpec): string[] {
  return results.COLUMNS.filter((name) => {
    if (name.startsWith("visibility_")) return predictsVisibility;
    return predictsPupils || !name.startsWith("pupil_");
  });
}

/** The values of a face by the names of the table's columns. */
function valuesOf(face: Face): Record<string, number> {
  const { score, points, sigma, confidence, visibility, pupils } = face;
  const values: Record<string, number> = { confidence: score };
  points.forEach(([x, y], i) => {
    values[`x_${i}`] = x;
    values[`y_${i}`] = y;
    values[`sigma_${i}`] = sigma[i];
    values[`confidence_${i}`] = confidence[i];
  });
  visibility?.forEach((value, i) => (values[`visibility_${i}`] = value));
  pupils?.forEach(([x, y], i) => {
    values[`pupil_x_${i}`] = x;
    values[`pupil_y_${i}`] = y;
  });
  face.pupils_covariance?.forEach((one, i) => (values[`pupil_sigma_${i}`] = sigmaOf(one)));
  return values;
}

/** A number with all its decimals, or text; what is missing is empty. */
function csvCell(value: number | string | undefined, decimals?: number): string {
  if (typeof value !== "number" || decimals === undefined) return String(value ?? "");
  return rounded(value, decimals).toFixed(decimals);
}

/** Quoted where CSV needs it, with `'` before what a spreadsheet would take as a formula. */
function csvText(text: string): string {
  const plain = /^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

function roundedFace(face: Face): Face {
  const { pose, signals, emotions, detection_score: score, visibility, pupils, gaze } = face;
  const spread = face.pupils_covariance;
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
    ...(emotions && { emotions: rounded(emotions, 4) }),
    ...(visibility && { visibility: rounded(visibility, 4) }),
    ...(pupils && { pupils: rounded(pupils, 2) }),
    ...(spread && { pupils_covariance: rounded(spread, 4) }),
    ...(gaze && { gaze: rounded(gaze, 2) }),
  };
}

/** Numbers, and those in arrays and objects, with this many decimals; null stays. */
function rounded<T>(value: T, digits: number): T {
  const scale = 10 ** digits;
  const each = (one: unknown): unknown => {
    if (typeof one === "number") return round(one * scale) / scale;
    if (Array.isArray(one)) return one.map(each);
    if (one === null) return null;
    const entries = Object.entries(one as object).map(([name, entry]) => [name, each(entry)]);
    return Object.fromEntries(entries) as unknown;
  };
  return each(value) as T;
}
