import { beforeAll, describe, expect, it } from "vitest";
import { analyzeFaces } from "../src/analyzer";
import type { KeypointPredictor } from "../src/predictor";
import { SearchingDetector } from "../src/search";
import type { Detection } from "../src/types";
import { cases, farthest, largestGap, openPredictor, openSession, readImage } from "./fixtures";

const EYES = 60;

function expectAlike(found: Detection[], expected: Detection[]): void {
  expect(found).toHaveLength(expected.length);
  found.forEach(({ box, score, square }, i) => {
    const scale = (box[2] - box[0]) / EYES;
    expect(largestGap(box, expected[i].box)).toBeLessThan(0.5 * scale);
    expect(score).toBeCloseTo(expected[i].score, 2);
    expect(square === null).toBe(expected[i].square === null);
  });
}

describe("the whole way from an image", () => {
  let detector: SearchingDetector;
  let predictor: KeypointPredictor;

  beforeAll(async () => {
    detector = new SearchingDetector(await openSession("retinaface"));
    predictor = await openPredictor("eyes");
  });

  it.each(cases.images)("$image.name", async ({ image, detections, faces }) => {
    const pixels = readImage(image);
    expectAlike(await detector.detect(pixels, "fast"), detections.fast);
    const found = await detector.detect(pixels);
    expectAlike(found, detections.default);
    const keypoints = await predictor.predict(pixels, found);
    const analyzed = analyzeFaces(keypoints, image.width, image.height);
    analyzed.sort((a, b) => b.score - a.score);
    analyzed.forEach((face, i) => {
      const expected = faces[i];
      const [[x, y], [u, v]] = [expected.points[36], expected.points[45]];
      const unit = Math.hypot(x - u, y - v) / EYES;
      expect(farthest(face.points, expected.points)).toBeLessThan(0.3 * unit);
      expect(farthest(face.pupils!, expected.pupils)).toBeLessThan(0.3 * unit);
      expect(largestGap(face.visibility!, expected.visibility)).toBeLessThan(0.02);
      face.pupils_covariance!.forEach((one, k) => {
        const [xx, , yy] = expected.pupils_covariance[k];
        expect(largestGap(one, expected.pupils_covariance[k])).toBeLessThan(0.05 * (xx + yy));
      });
      expect(face.score).toBeCloseTo(expected.score, 2);
      expect(largestGap(face.confidence, expected.confidence)).toBeLessThan(0.02);
      expect(Math.abs(face.pose!.yaw - expected.pose.yaw)).toBeLessThan(0.5);
      const signals = Object.values(face.signals!);
      expect(largestGap(signals, Object.values(expected.signals))).toBeLessThan(0.02);
    });
  });
});
