import { describe, expect, it } from "vitest";
import { median, type Matrix } from "../src/geometry";
import { toRgb, type Image } from "../src/image";
import { resizeImage, warpImage } from "../src/warp";
import { cases, readImage } from "./fixtures";

function gaps(one: Image, other: Image): number[] {
  const [values, others] = [toRgb(one), toRgb(other)];
  expect(values.length).toBe(others.length);
  return Array.from(values, (value, i) => Math.abs(value - others[i]));
}

describe("pixels as in Python", () => {
  it.each(cases.warps)("the crop $crop.name", ({ image, matrix, crop }) => {
    const warped = warpImage(readImage(image), matrix as Matrix, crop.width, crop.height);
    const gray = gaps(warped, readImage(crop));
    expect(median(gray)).toBe(0);
    expect(gray.every((gap) => gap <= 1)).toBe(true);
  });

  it.each(cases.resized)("the view $resized.name", ({ image, resized }) => {
    const view = resizeImage(readImage(image), resized.width, resized.height);
    const gray = gaps(view, readImage(resized));
    expect(gray.every((gap) => gap <= 1)).toBe(true);
  });
});
