import { describe, expect, it } from "vitest";
import { cases, farthest, largestGap, openPredictor, readImage } from "./fixtures";

describe("equal crops give equal points", () => {
  it.each(cases.networks)("$model", async ({ model, crops, points, covariance, score }) => {
    const predictor = await openPredictor(model);
    const predictions = await predictor.run(readImage(crops).data);
    expect(predictions).toHaveLength(points.length);
    predictions.forEach((prediction, i) => {
      expect(farthest(prediction.points, points[i])).toBeLessThan(1e-3);
      expect(prediction.score).toBeCloseTo(score[i], 5);
      prediction.covariance.forEach(([xx, xy, yy], k) => {
        const [x, , y] = covariance[i][k];
        expect(largestGap([xx, xy, yy], covariance[i][k])).toBeLessThan(2e-3 * (x + y));
      });
    });
  });
});
