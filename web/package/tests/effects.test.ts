/** Effects give the pixels that Python's give. */

import { describe, expect, it } from "vitest";
import { anonymizer, type AnonymizeMethod } from "../src/anonymize";
import { stickers as constants } from "../src/constants";
import type { Effect } from "../src/effects";
import { makeup, makeupNames, type MakeupName } from "../src/makeup";
import { stickerNames, type StickerName } from "../src/gallery";
import { makeSticker, stickers } from "../src/stickers";
import { cases, readImage, readPixels } from "./fixtures";

function sticker(name: StickerName): Effect {
  const file = cases.stickers.find((image) => image.name === `sticker_${name}`)!;
  const image = { ...file, data: new Uint8ClampedArray(readPixels(file)) };
  return stickers([makeSticker(image, constants.BUILT_IN[name])]);
}

function effectOf(name: string): Effect {
  if (makeupNames.includes(name as MakeupName)) return makeup(name as MakeupName);
  if (stickerNames.includes(name as StickerName)) return sticker(name as StickerName);
  if (name === "uncertain") return anonymizer({ method: "solid", color: [0, 90, 200] });
  return anonymizer({ method: name as AnonymizeMethod });
}

describe("the effect on the faces of an image is Python's", () => {
  it.each(cases.effects)("$effect, $image.name", ({ effect, image, faces, result }) => {
    const [source, own] = [readImage(image), readImage(image)];
    effectOf(effect)(own, faces);
    let [touched, far, total] = [0, 0, 0];
    readImage(result).data.forEach((value, i) => {
      if (value === source.data[i] && own.data[i] === source.data[i]) return;
      const gap = Math.abs(value - own.data[i]);
      touched++;
      total += gap;
      far += Number(gap > 3);
    });
    expect(touched).toBeGreaterThan(1000);
    expect(total / touched).toBeLessThan(1);
    expect(far / touched).toBeLessThan(0.06);
  });

  it("needs no pose", () => {
    const { image, faces } = cases.effects.find(({ effect }) => effect === "hat")!;
    const [posed, unposed] = [faces, faces.map((face) => ({ ...face, pose: undefined }))].map(
      (given) => {
        const pixels = readImage(image);
        effectOf("hat")(pixels, given);
        return pixels.data.reduce((sum, value) => sum + value);
      },
    );
    expect(Math.abs(unposed / posed - 1)).toBeLessThan(1e-3);
  });
});

describe("without a face", () => {
  const pixels = () => ({ data: new Uint8ClampedArray(400).fill(9), width: 10, height: 10 });

  it("anonymization copies, covers or fails, as it is told", () => {
    const [copied, covered] = [pixels(), pixels()];
    anonymizer()(copied, []);
    anonymizer({ method: "solid", onNoFace: "cover" })(covered, []);
    expect(copied.data.every((value) => value === 9)).toBe(true);
    expect(covered.data.every((value, i) => value === (i % 4 < 3 ? 0 : 9))).toBe(true);
    expect(() => anonymizer({ onNoFace: "error" })(pixels(), [])).toThrow("no face found");
  });
});
