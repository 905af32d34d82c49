/** What the page says of a face. */

import type { Emotions, Face, Gaze } from "facedots";
import { expect, it } from "vitest";
import { wordsOf } from "../src/signals";

const FACE = { score: 0.987 } as Face;
const POSE = { yaw: 12.4, pitch: -0.3, roll: 3 } as Face["pose"];
const GAZE: Gaze = { yaw: -8.6, pitch: 0, sigma: 4.4, right_eye: null, left_eye: null };
const PUPILS: Face["pupils"] = [
  [1, 2],
  [3, 4],
];
const EMOTIONS = { neutral: 0.1, happy: 0.8, surprised: 0.1, angry: 0, sad: 0, disgusted: 0 };

function looks(emotions: Partial<Emotions>): string {
  return wordsOf({ ...FACE, emotions: { ...EMOTIONS, ...emotions } }).looks;
}

it("pose in whole degrees, where it is known", () => {
  expect(wordsOf(FACE)).toEqual({ score: "0.99" });
  const expected = { score: "0.99", "yaw °": "12", "pitch °": "0", "roll °": "3" };
  expect(wordsOf({ ...FACE, pose: POSE })).toEqual(expected);
});

it("the emotion with its probability, or that it is unsure", () => {
  expect(looks({})).toBe("happy, 80 %");
  expect(looks({ happy: 0.45, neutral: 0.45 })).toBe("unsure");
});

it("the gaze with its error, and a dash where eyes cannot be read", () => {
  const seen = wordsOf({ ...FACE, pupils: PUPILS, gaze: GAZE });
  expect(seen).toMatchObject({ "gaze yaw °": "-9 ± 4", "gaze pitch °": "0 ± 4" });
  const shut = wordsOf({ ...FACE, pupils: PUPILS });
  expect(shut).toMatchObject({ "gaze yaw °": "–", "gaze pitch °": "–" });
});
