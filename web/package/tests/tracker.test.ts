import { describe, expect, it } from "vitest";
import { SearchingDetector } from "../src/search";
import { Tracker } from "../src/tracker";
import { cases, farthest, openPredictor, openSession, readImage } from "./fixtures";

describe("tracks", () => {
  it("are Python's over a clip of 60 frames", async () => {
    const detector = new SearchingDetector(await openSession("retinaface"));
    const tracker = new Tracker(detector, await openPredictor("tiny"));
    const { frames, rate } = cases.clip;
    expect(frames).toHaveLength(60);
    for (const [i, { image, faces, runs }] of frames.entries()) {
      const own = await tracker.update(readImage(image), i / rate);
      expect(own.map((face) => face.track_id)).toEqual(faces.map((face) => face.track_id));
      expect(tracker.detectorRuns).toBe(runs);
      own.forEach((face, k) => {
        expect(farthest(face.points, faces[k].points)).toBeLessThan(0.3);
      });
    }
  });
});
