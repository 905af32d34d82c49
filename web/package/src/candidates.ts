/** What a detector takes for faces: boxes and five points, the squares from them, each face once. */

import { candidates } from "./constants";
import {
  applyAffine,
  boxArea,
  boxCenter,
  boxIou,
  boxSide,
  centroid,
  degrees,
  fitSimilarity,
  sharedArea,
  sum,
  type Box,
  type Matrix,
  type Point,
  type Square,
} from "./geometry";

export interface Candidate {
  /** The tight box. */
  box: Box;
  score: number;
  /** Right and left eye, nose tip, right and left corner of the mouth. */
  points: Point[];
  /** Degrees by which the view was turned from the image. */
  turn: number;
  /** Gives way to any other box on the same face. */
  spare: boolean;
}

/** Under an affine map; the box becomes the one around the ellipse in it. */
export function mapped(candidate: Candidate, matrix: Matrix): Candidate {
  const [x, y] = applyAffine(matrix, boxCenter(candidate.box));
  const [left, top, right, bottom] = candidate.box;
  const [wide, high] = [(right - left) / 2, (bottom - top) / 2];
  const width = Math.hypot(matrix[0] * wide, matrix[1] * high);
  const height = Math.hypot(matrix[3] * wide, matrix[4] * high);
  return {
    ...candidate,
    box: [x - width, y - height, x + width, y + height],
    points: candidate.points.map((point) => applyAffine(matrix, point)),
    turn: candidate.turn + degrees(Math.atan2(matrix[3], matrix[0])),
  };
}

/** The same, spare where `give` holds. */
export function givingWay(candidate: Candidate, give: boolean): Candidate {
  return { ...candidate, spare: candidate.spare || give };
}

/**
 * The square to crop by: the box's where the points are level in the view, else between the box's
 * and the points'; null where these do not agree on one face.
 */
export function squareOf({ box, points, turn }: Candidate): Square | null {
  const side = boxSide(box);
  const boxSquare: Square = [...boxCenter(box), side, turn];
  const square = uprightSquareOfFive(points);
  const tilt = modulo(square[3] - turn + 180, 360) - 180;
  const shift = Math.max(Math.abs(square[0] - boxSquare[0]), Math.abs(square[1] - boxSquare[1]));
  const zoom = Math.log(Math.max(square[2], 1e-6) / side);
  const off = [shift / side, zoom, tilt];
  if (off.some((value, i) => !(Math.abs(value) < candidates.AGREEING[i]))) return null;
  if (Math.abs(tilt) < candidates.LEVEL) return boxSquare;
  const middle = (i: number) => (square[i] + boxSquare[i]) / 2;
  return [middle(0), middle(1), middle(2), square[3]];
}

function modulo(value: number, base: number): number {
  return ((value % base) + base) % base;
}

/** The square around a face from its eyes, nose tip and corners of the mouth. */
function uprightSquareOfFive(points: Point[]): Square {
  const [a, , , d] = fitSimilarity(points, candidates.TEMPLATE);
  const [cos, sin] = [a / Math.hypot(a, d), d / Math.hypot(a, d)];
  const [x, y] = centroid(points);
  const upright = points.flatMap(([px, py]) => [
    cos * (px - x) - sin * (py - y),
    sin * (px - x) + cos * (py - y),
  ]);
  const [right, down, side] = candidates.SQUARE_FIT.map((row) =>
    sum(row.map((factor, i) => factor * upright[i])),
  );
  const roll = -degrees(Math.atan2(sin, cos));
  return [x + right * cos + down * sin, y - right * sin + down * cos, side, roll];
}

/** The share of a box that lies in another. */
export function shareInside(box: Box, other: Box): number {
  return sharedArea(box, other) / Math.max(boxArea(box), 1e-6);
}

/** Each face once, best first; a spare box gives way to any other on the same face. */
export function distinct(found: readonly Candidate[]): Candidate[] {
  const kept: Candidate[] = [];
  for (const one of [...found].sort(bySpareAndScore)) {
    if (!kept.some((other) => sameFace(one, other))) kept.push(one);
  }
  return kept.sort((a, b) => b.score - a.score);
}

function bySpareAndScore(a: Candidate, b: Candidate): number {
  return Number(a.spare) - Number(b.spare) || b.score - a.score;
}

function sameFace(one: Candidate, other: Candidate): boolean {
  const [[ax, ay], [bx, by]] = [boxCenter(one.box), boxCenter(other.box)];
  const near = candidates.SAME_FACE_NEAR * Math.min(boxSide(one.box), boxSide(other.box));
  return (
    Math.hypot(ax - bx, ay - by) < near ||
    boxIou(one.box, other.box) > candidates.SAME_FACE_IOU ||
    (one.spare && shareInside(one.box, other.box) > candidates.CUT_INSIDE)
  );
}
