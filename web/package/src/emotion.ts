/** What emotion a face shows, from its keypoints, as in Python's `emotion.py`. */

import { emotion } from "./constants";
import { sum, type Point } from "./geometry";
import type { EmotionName, Emotions, HeadPose } from "./types";

/**
 * The probability of each emotion, from points made frontal with a pose; their sum is 1. Hidden
 * points (NaN) count as those of the mean face; points that make no head say nothing.
 */
export function emotionProbabilities(shape: readonly Point[], pose: HeadPose): Emotions {
  if (pose.reprojection_error > emotion.MAX_REPROJECTION_ERROR) {
    return named(emotion.EMOTIONS.map(() => 1 / emotion.EMOTIONS.length));
  }
  const offsets = emotion.POINTS.map((point, i) =>
    shape[point].map((value, axis) => (Number.isNaN(value) ? 0 : value - emotion.MEAN[i][axis])),
  );
  const scores = emotion.WEIGHTS.map((weights, i) => {
    const terms = offsets.map(([x, y], k) => weights[k][0] * x + weights[k][1] * y);
    return emotion.BIAS[i] + sum(terms);
  });
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = sum(powers);
  return named(powers.map((power) => power / total));
}

function named(shares: readonly number[]): Emotions {
  return Object.fromEntries(emotion.EMOTIONS.map((name, i) => [name, shares[i]])) as Emotions;
}

/** The most probable emotion, or `unsure` where none is probable enough. */
export function guessEmotion(emotions: Emotions): EmotionName | typeof emotion.UNSURE {
  const names = Object.keys(emotions) as EmotionName[];
  const best = names.reduce((a, b) => (emotions[b] > emotions[a] ? b : a));
  return emotions[best] >= emotion.SURE ? best : emotion.UNSURE;
}
