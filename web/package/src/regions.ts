/** Regions of a face as closed polygons, as in Python's `regions.py`. */

import { regions, schema } from "./constants";
import type { Point } from "./geometry";
import { convexHull } from "./polygons";

export type RegionName = "face" | "left_brow" | "right_brow" | keyof typeof regions.LOOPS;

/** The polygons around a region; a second one is a hole in the first. */
export function regionPolygons(points: readonly Point[], name: RegionName): Point[][] {
  if (name === "face") return [convexHull(points)];
  if (name === "left_brow" || name === "right_brow") {
    const [right, left] = schema.norm_pair.map((i) => points[i]);
    const half = regions.BROW_HALF * Math.hypot(left[0] - right[0], left[1] - right[1]);
    return [
      strip(
        schema.regions[name].map((i) => points[i]),
        half,
      ),
    ];
  }
  return regions.LOOPS[name].map((loop) => loop.map((i) => points[i]));
}

/** A polygon around an open line, `half` pixels to each side, pointed at the ends. */
function strip(line: readonly Point[], half: number): Point[] {
  const last = line.length - 1;
  const across = line.map((_, i): Point => {
    const [before, after] = [line[Math.max(i - 1, 0)], line[Math.min(i + 1, last)]];
    const [x, y] = [after[0] - before[0], after[1] - before[1]];
    const length = (i % last ? half : half / 2) / Math.max(Math.hypot(x, y), 1e-6);
    return [-y * length, x * length];
  });
  const side = (sign: number) =>
    line.map(([x, y], i): Point => [x + sign * across[i][0], y + sign * across[i][1]]);
  return [...side(1), ...side(-1).reverse()];
}
