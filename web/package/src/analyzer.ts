/** All that is measured of a face, as in Python's `analyzer.py`. */

import { schema } from "./constants";
import { emotionProbabilities } from "./emotion";
import { expressionSignals } from "./expression";
import { eyeGaze } from "./gaze";
import type { Point } from "./geometry";
import { frontal, guessCamera, headPose } from "./pose";
import { isRegionHidden, type Face } from "./types";

/** The faces of an image of this size with head pose, signals, emotions and gaze, as far as known. */
export function analyzeFaces(faces: readonly Face[], width: number, height: number): Face[] {
  const camera = guessCamera(width, height);
  return faces.map((face) => {
    const pose = headPose(face.points, camera);
    if (!pose) return face;
    const shape = seenPoints(frontal(face.points, pose, camera), face);
    const [signals, emotions] = [expressionSignals(shape), emotionProbabilities(shape, pose)];
    const measured = { ...face, pose, signals, emotions };
    const gaze = eyeGaze(measured, camera);
    return gaze ? { ...measured, gaze } : measured;
  });
}

/** The points, NaN in regions that are mostly hidden: what is there was guessed. */
export function seenPoints(shape: readonly Point[], face: Face): readonly Point[] {
  const names = Object.keys(schema.regions) as (keyof typeof schema.regions)[];
  const hidden: number[] = names
    .filter((name) => isRegionHidden(face, name))
    .flatMap((name) => [...schema.regions[name]]);
  return shape.map((point, i): Point => (hidden.includes(i) ? [NaN, NaN] : point));
}
