import { describe, expect, it } from "vitest";
import { analyzeFaces, seenPoints } from "../src/analyzer";
import { models } from "../src/constants";
import { emotionProbabilities, guessEmotion } from "../src/emotion";
import { BlinkCounter, expressionSignals } from "../src/expression";
import { eyeGaze } from "../src/gaze";
import { assign } from "../src/linear";
import { frontal, guessCamera, headPose } from "../src/pose";
import { FaceSmoother } from "../src/smoothing";
import { resultsDocument, resultsTable } from "../src/results";
import type { EyeGaze, Face, Signals } from "../src/types";
import {
  ellipse,
  probWithin,
  radiusCdf,
  radiusQuantile,
  type Covariance,
} from "../src/uncertainty";
import { cases, eyesSpec, farthest, largestGap } from "./fixtures";

describe("head pose", () => {
  it("is OpenCV's within a tenth of a degree", () => {
    const camera = guessCamera(640, 480);
    const off = cases.poses.map(({ points, pose }) => {
      const own = headPose(points, camera)!;
      expect(own.reprojection_error).toBeCloseTo(pose.reprojection_error, 4);
      expect(largestGap(own.translation, pose.translation)).toBeLessThan(1e-3 * own.translation[2]);
      const turn = [own.yaw - pose.yaw, own.pitch - pose.pitch, own.roll - pose.roll];
      return Math.max(...turn.map(Math.abs));
    });
    expect(Math.max(...off)).toBeLessThan(0.1);
  });
});

describe("expression signals", () => {
  it("are Python's on the same points and pose", () => {
    for (const { image, faces } of cases.images) {
      const camera = guessCamera(image.width, image.height);
      for (const face of faces) {
        const own = expressionSignals(seenPoints(frontal(face.points, face.pose, camera), face));
        expect(Object.keys(own)).toEqual(Object.keys(face.signals));
        expect(largestGap(Object.values(own), Object.values(face.signals))).toBeLessThan(1e-5);
      }
    }
  });

  it("count the same blinks", () => {
    const counter = new BlinkCounter();
    for (const { opening, time, count } of cases.blinks) {
      counter.update({ right_eye_open: opening, left_eye_open: opening } as Signals, time);
      expect(counter.count).toBe(count);
    }
    expect(counter.count).toBeGreaterThan(2);
  });
});

describe("emotions", () => {
  it("are Python's on the same points and pose", () => {
    for (const { image, faces } of cases.images) {
      const camera = guessCamera(image.width, image.height);
      for (const face of faces) {
        const shape = seenPoints(frontal(face.points, face.pose, camera), face);
        const own = emotionProbabilities(shape, face.pose);
        expect(Object.keys(own)).toEqual(Object.keys(face.emotions));
        expect(largestGap(Object.values(own), Object.values(face.emotions))).toBeLessThan(1e-5);
      }
    }
  });

  it("and signals leave out what is hidden, as in Python", () => {
    const { width, height, faces } = cases.gazes;
    const looking = faces.map((face): Face => ({ ...face, gaze: undefined }));
    const hidden = analyzeFaces(looking, width, height).map(({ signals, emotions }, i) => {
      const expected = faces[i];
      expect(largestGap(Object.values(emotions!), Object.values(expected.emotions))).toBeLessThan(
        1e-3,
      );
      expect(largestGap(Object.values(signals!), Object.values(expected.signals))).toBeLessThan(
        1e-3,
      );
      return Number.isNaN(signals!.smile);
    });
    expect(hidden).toContain(true);
    expect(hidden).toContain(false);
  });

  it("say nothing of points that make no head", () => {
    const { image, faces } = cases.images[0];
    const pose = { ...faces[0].pose, reprojection_error: 0.16 };
    const shape = frontal(faces[0].points, pose, guessCamera(image.width, image.height));
    const shares = Object.values(emotionProbabilities(shape, pose));
    expect(largestGap(shares, Array<number>(6).fill(1 / 6))).toBeLessThan(1e-12);
  });

  it("are named where they are probable enough", () => {
    const none = { neutral: 0, happy: 0, surprised: 0, angry: 0, sad: 0, disgusted: 0 };
    expect(guessEmotion({ ...none, happy: 0.5, sad: 0.5 })).toBe("happy");
    expect(guessEmotion({ ...none, happy: 0.3, sad: 0.4, angry: 0.3 })).toBe("unsure");
  });
});

describe("gaze", () => {
  const { width, height, faces } = cases.gazes;
  const values = ({ yaw, pitch, sigma }: EyeGaze) => [yaw, pitch, sigma];

  it("is Python's on the same face, in degrees and eye by eye", () => {
    for (const face of faces) {
      const own = eyeGaze({ ...face, gaze: undefined }, guessCamera(width, height));
      expect(own === null).toBe(face.gaze === null);
      if (!own || !face.gaze) continue;
      expect(largestGap(values(own), values(face.gaze))).toBeLessThan(1e-3);
      for (const eye of ["right_eye", "left_eye"] as const) {
        const [one, expected] = [own[eye], face.gaze[eye]];
        expect(one === null).toBe(expected === null);
        if (one && expected) expect(largestGap(values(one), values(expected))).toBeLessThan(1e-3);
      }
    }
  });

  it("is of both eyes, of one, or of none", () => {
    const eyes = faces.map(({ gaze }) => [gaze?.right_eye, gaze?.left_eye].filter(Boolean).length);
    for (const count of [0, 1, 2]) {
      expect(eyes.filter((one) => one === count).length).toBeGreaterThan(5);
    }
  });

  it("needs pupils and their covariances", () => {
    const camera = guessCamera(width, height);
    const face = { ...faces[0], pupils: undefined, gaze: undefined };
    expect(eyeGaze(face, camera)).toBe(null);
    const both = faces.find(({ gaze }) => gaze?.right_eye && gaze.left_eye);
    if (!both) throw new Error("no face with both eyes");
    const unknown: Covariance = [NaN, NaN, NaN];
    const covariance = (...of: Covariance[]) => ({
      ...both,
      gaze: undefined,
      pupils_covariance: of,
    });
    expect(eyeGaze(covariance(unknown, unknown), camera)).toBe(null);
    const left = eyeGaze(covariance(unknown, both.pupils_covariance[1]), camera);
    expect(left?.right_eye).toBe(null);
    expect(left?.sigma).toBe(left?.left_eye?.sigma);
    expect(left?.sigma).toBeCloseTo(both.gaze?.left_eye?.sigma ?? NaN, 3);
  });
});

describe("smoothing", () => {
  it("gives Python's points", () => {
    const smoother = new FaceSmoother();
    for (const { points, sigma, time, smooth } of cases.smoothing) {
      expect(farthest(smoother.update(points, sigma, time), smooth)).toBeLessThan(1e-3);
    }
  });
});

describe("assignment", () => {
  it("is scipy's", () => {
    for (const { costs, limit, pairs } of cases.assignments) {
      expect(assign(costs, limit)).toEqual(pairs);
    }
  });
});

describe("the results document", () => {
  it.each(cases.images)("of $image.name is Python's", ({ image, faces, document }) => {
    const { width, height } = image;
    const known = faces.map((face) => {
      const entries = Object.entries<unknown>(face).filter(([, value]) => value !== null);
      return Object.fromEntries(entries) as unknown as Face;
    });
    const results = resultsDocument([{ source: image.name, width, height, faces: known }], "tiny");
    expect(JSON.stringify(results.point_names.slice(0, 2))).toBe('["jaw_0","jaw_1"]');
    expect(JSON.parse(JSON.stringify(results.images[0]))).toEqual(
      JSON.parse(JSON.stringify(document)),
    );
  });
});

describe("the table of results", () => {
  it.each([
    ["text that is a formula", models.tiny, cases.table],
    ["pupils and visibility", eyesSpec, cases.eyesTable],
  ])("is Python's, %s included", (_name, spec, { images, csv }) => {
    const known = images.map((image) => ({ ...image, width: 0, height: 0 }));
    expect(resultsTable(known, spec).split("\n")).toEqual(csv.split("\n"));
  });
});

describe("uncertainty", () => {
  it("has the quantiles of its distribution", () => {
    for (const dof of [null, 4, 7.2]) {
      expect(radiusCdf(radiusQuantile(0.9, dof), dof)).toBeCloseTo(0.9, 10);
    }
    expect(radiusQuantile(0.5, 4)).toBeCloseTo(0.9102, 4);
  });

  it("turns covariances into probabilities and ellipses", () => {
    expect(probWithin([1, 0, 1], 2, null)).toBeCloseTo(0.865, 3);
    const { axes, angle } = ellipse([4, 0, 9], 0.5, null);
    expect(largestGap(axes, [3 * 1.1774, 2 * 1.1774])).toBeLessThan(1e-3);
    expect(angle).toBeCloseTo(Math.PI / 2);
  });
});
