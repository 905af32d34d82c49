/** All that is measured of a face, as in Python's `analyzer.py`. */

import { emotionProbabilities } from "./emotion";
import { expressionSignals } from "./expression";
import { eyeGaze } from "./gaze";
import { frontal, guessCamera, headPose } from "./pose";
import type { Face } from "./types";

/** The faces of an image of this size with head pose, signals, emotions and gaze, as far as known. */
export function analyzeFaces(faces: readonly Face[], width: number, height: number): Face[] {
  const camera = guessCamera(width, height);
  return faces.map((face) => {
    const pose = headPose(face.points, camera);
    if (!pose) return face;
    const shape = frontal(face.points, pose, camera);
    const [signals, emotions] = [expressionSignals(shape), emotionProbabilities(shape, pose)];
    const measured = { ...face, pose, signals, emotions };
    const gaze = eyeGaze(measured, camera);
    return gaze ? { ...measured, gaze } : measured;
  });
}
