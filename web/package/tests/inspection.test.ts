import { beforeAll, describe, expect, it } from "vitest";
import { inspectCrop, inspectFace } from "../src/inspection";
import type { Session } from "../src/session";
import { cases, largestGap, openSession, readImage, readPixels, readTensor } from "./fixtures";

describe("a face inside the network", () => {
  const { inside } = cases;
  const crop = readPixels(inside.crop);
  let session: Session;

  beforeAll(async () => {
    session = await openSession("inspection");
  });

  it.each(["points", "heatmaps", "kernels", "featureMaps"] as const)(
    "equal crops give equal %s",
    async (name) => {
      const [tensor, expected] = [
        (await inspectCrop(session, crop))[name],
        readTensor(inside[name]),
      ];
      expect(tensor.shape).toEqual(expected.shape);
      expect(largestGap(tensor.data, expected.data)).toBeLessThan(1e-3);
    },
  );

  it("the crop is that of the face's points", async () => {
    const inspection = await inspectFace(session, readImage(inside.image), inside.face);
    expect(inspection.crop.shape).toEqual([inside.crop.height, inside.crop.width, 3]);
    const gaps = inspection.crop.data.map((value, i) => Math.abs(value - crop[i]));
    expect(gaps.sort()[gaps.length / 2]).toBeLessThanOrEqual(1);
  });
});
