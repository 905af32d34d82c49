import { describe, expect, it } from "vitest";
import type { Box } from "../src/geometry";
import { blackImage } from "../src/image";
import { SearchingDetector } from "../src/search";
import { Tracker } from "../src/tracker";
import type { Detection, Face } from "../src/types";
import { cases, farthest, openPredictor, openSession, readImage } from "./fixtures";

describe("tracks", () => {
  it("are Python's over a clip of 60 frames", async () => {
    const detector = new SearchingDetector(await openSession("retinaface"));
    const tracker = new Tracker(detector, await openPredictor("eyes"));
    const { frames, rate } = cases.clip;
    expect(frames).toHaveLength(60);
    for (const [i, { image, faces, runs }] of frames.entries()) {
      const { faces: own } = await tracker.update(readImage(image), i / rate);
      expect(own.map((face) => face.track_id)).toEqual(faces.map((face) => face.track_id));
      expect(tracker.detectorRuns).toBe(runs);
      own.forEach((face, k) => {
        // Where the border cuts a face, a gray level more or less decides where its points are.
        const inside = faces[k].points.every(
          ([x, y]) => x >= 0 && y >= 0 && x < image.width && y < image.height,
        );
        if (!inside) return;
        expect(farthest(face.points, faces[k].points)).toBeLessThan(0.3);
        expect(farthest(face.pupils!, faces[k].pupils)).toBeLessThan(0.3);
      });
    }
  });
});

describe("a new face", () => {
  const known = cases.clip.frames[0].faces[0];
  const image = blackImage(320, 240);
  const [first, second] = [0, 100].map((shift): Detection => {
    const [x0, y0, x1, y1] = known.box;
    return { box: [x0 + shift, y0, x1 + shift, y1], score: 1, square: null };
  });

  /** A face of a score in each box. */
  const predictor = (score: number) => ({
    predict: (_image: unknown, boxes: readonly { box: Box }[]) =>
      Promise.resolve(boxes.map(({ box }) => faceIn(box, score))),
  });

  function faceIn(box: Box, score: number): Face {
    const shift = box[0] - known.box[0];
    return { ...known, box, score, points: known.points.map(([x, y]) => [x + shift, y]) };
  }

  it("is found in the frame where the options ask for a search, and they may change", async () => {
    let found = [first];
    const kinds: unknown[] = [];
    const detector = {
      detect: (_image: unknown, kind: unknown) => (kinds.push(kind), Promise.resolve(found)),
    };
    const tracker = new Tracker(detector, predictor(1));
    const at = async (time: number, options = {}) => {
      const { faces, searched } = await tracker.update(image, time, options);
      return [faces.length, searched];
    };
    expect(await at(0)).toEqual([1, true]);
    found = [first, second];
    expect(await at(0.03)).toEqual([1, false]);
    expect(await at(0.06, { detectEvery: 1, search: "fast" })).toEqual([2, true]);
    expect(await at(0.09)).toEqual([2, false]);
    expect(kinds).toEqual(["default", "fast"]);
  });

  it.each([
    ["unclear", 0.4],
    ["no face to the network", 0],
  ])("that is %s is doubtful", async (_name, score) => {
    const detector = { detect: () => Promise.resolve([first]) };
    const { faces, doubtful } = await new Tracker(detector, predictor(score)).update(image, 0);
    expect(faces).toEqual([]);
    expect(doubtful.map(({ box }) => box)).toEqual([first.box]);
  });
});
