/** What is drawn of a face, as calls of a canvas that only takes note of them. */

import type { Face, FaceDots } from "facedots";
import { expect, it, vi } from "vitest";
import { drawFaces } from "../src/draw";

const POINTS: Face["points"] = [
  [10, 20],
  [30, 40],
];
const FACE = { box: [0, 0, 160, 160], points: POINTS, covariance: [] } as unknown as Face;
const DOTS = { schema: { regions: { all: [0, 1] }, edges: [] } } as unknown as FaceDots;

/** The dots of a face, each as the radii of its circles, by its place and color. */
function drawnDots(face: Face): Record<string, number[]> {
  vi.stubGlobal("document", { querySelectorAll: () => [{ name: "dots" }] });
  const dots: Record<string, number[]> = {};
  let path: [string, number][] = [];
  const own = {
    canvas: { width: 0, height: 0 },
    fillStyle: "",
    beginPath: () => (path = []),
    arc: (x: number, y: number, radius: number) => path.push([`${x},${y}`, radius]),
    fill: () =>
      path.forEach(([place, radius]) => (dots[`${place} ${own.fillStyle}`] ??= []).push(radius)),
  };
  const context = new Proxy(own, {
    get: (target, name) => (Reflect.get(target, name) as unknown) ?? vi.fn(),
  });
  const image = { width: 200, height: 200 } as ImageBitmap;
  drawFaces(context as unknown as CanvasRenderingContext2D, image, [face], DOTS);
  return dots;
}

it("dots are full where the network does not tell what is hidden", () => {
  expect(Object.values(drawnDots(FACE))).toEqual([[1.2], [1.2]]);
});

it("hidden points are hollow", () => {
  const dots = drawnDots({ ...FACE, visibility: [0.49, 0.5] });
  expect(Object.values(dots)).toEqual([[1.2, 0.7], [1.2]]);
});

it("pupils are white, with a rim, above the other dots", () => {
  const dots = drawnDots({ ...FACE, pupils: [[10, 20]] });
  expect(Object.keys(dots).slice(2)).toEqual(["10,20 #141414", "10,20 #fff"]);
});
