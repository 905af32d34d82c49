import { describe, expect, it } from "vitest";
import { models } from "../src/constants";
import { blackImage } from "../src/image";
import { KeypointPredictor } from "../src/predictor";
import type { Covariance } from "../src/uncertainty";
import { cases, farthest, largestGap, openPredictor, openSession, readPixels } from "./fixtures";

function expectAlike(found: Covariance[], expected: Covariance[]): void {
  found.forEach((one, k) => {
    const [xx, , yy] = expected[k];
    expect(largestGap(one, expected[k])).toBeLessThan(2e-3 * (xx + yy));
  });
}

describe("equal crops give equal answers", () => {
  it.each(cases.networks)("$model", async ({ model, crops, outputs }) => {
    const predictor = await openPredictor(model);
    const predictions = await predictor.run(readPixels(crops));
    expect(predictions).toHaveLength(outputs.score.length);
    predictions.forEach((prediction, i) => {
      expect(Object.keys(prediction).sort()).toEqual(Object.keys(outputs).sort());
      const { visibility, pupils, pupils_covariance: spread } = prediction;
      expect(farthest(prediction.points, outputs.points[i])).toBeLessThan(1e-3);
      expect(prediction.score).toBeCloseTo(outputs.score[i], 5);
      expectAlike(prediction.covariance, outputs.covariance[i]);
      if (visibility) expect(largestGap(visibility, outputs.visibility![i])).toBeLessThan(1e-3);
      if (pupils) expect(farthest(pupils, outputs.pupils![i])).toBeLessThan(1e-3);
      if (spread) expectAlike(spread, outputs.pupils_covariance![i]);
    });
  });

  it("has a network with pupils and visibility among them", () => {
    const { outputs } = cases.networks.find(({ model }) => model === "eyes")!;
    expect(outputs.pupils![0]).toHaveLength(2);
    expect(outputs.visibility![0]).toHaveLength(68);
  });
});

describe("a network without pupils and visibility", () => {
  it("gives faces without them", async () => {
    const session = await openSession("eyes");
    const plain: Pick<typeof session, "run"> = {
      run: async (...input) => {
        const { points, covariance, score } = await session.run(...input);
        return { points, covariance, score };
      },
    };
    const predictor = new KeypointPredictor(plain, models.tiny);
    const [face] = await predictor.predict(blackImage(100, 100), [
      { box: [20, 20, 80, 80], square: null },
    ]);
    expect(face.points).toHaveLength(68);
    for (const name of ["visibility", "pupils", "pupils_covariance"]) {
      expect(face).not.toHaveProperty(name);
    }
  });
});
