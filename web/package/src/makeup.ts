/** Makeup: lips, brows and cheeks tinted through soft masks, as in Python's `makeup.py`. */

import { fromLab, toLab } from "./color";
import { makeup as constants } from "./constants";
import type { Color, Effect } from "./effects";
import { applyAffine, type Matrix, type Point } from "./geometry";
import type { Image } from "./image";
import { softMask, windowAround } from "./polygons";
import { regionPolygons } from "./regions";
import { faceUnit, fitMeanShape } from "./shapes";

export type MakeupName = keyof typeof constants.DEFAULTS;

export interface Paint {
  color?: Color;
  /** In [0, 1]; 1 is all of the color's hue. */
  strength?: number;
}

/** The names of what {@link makeup} paints. */
export const makeupNames = Object.keys(constants.DEFAULTS) as MakeupName[];

/** Painted polygons, and those that bound the paint. */
interface Area {
  polygons: Point[][];
  within?: Point[][];
}

const AREAS: Record<MakeupName, (points: readonly Point[], fit: Matrix) => Area[]> = {
  lips: (points) => [{ polygons: regionPolygons(points, "lips") }],
  brows: (points) => [
    { polygons: regionPolygons(points, "right_brow") },
    { polygons: regionPolygons(points, "left_brow") },
  ],
  blush: (points, fit) => {
    const within = regionPolygons(points, "face");
    return [1, -1].map((side) => ({ polygons: [cheek(fit, side)], within }));
  },
};

/** Effect: paint of one color on the lips, brows or cheeks (blush); light and shadow stay. */
export function makeup(name: MakeupName, paint: Paint = {}): Effect {
  const full = { ...constants.DEFAULTS[name], ...paint };
  return (pixels, faces) => {
    for (const { points } of faces) {
      const fit = fitMeanShape(points);
      if (!fit) continue;
      const feather = constants.FEATHERS[name] * faceUnit(fit);
      for (const area of AREAS[name](points, fit)) tint(pixels, area, feather, full);
    }
  };
}

function cheek(fit: Matrix, side: number): Point[] {
  const { CHEEK_CENTER: center, CHEEK_HALF_AXES: axes } = constants;
  return Array.from({ length: 32 }, (_, i) => {
    const angle = (i * Math.PI) / 16;
    const x = center[0] + axes[0] * Math.cos(angle);
    return applyAffine(fit, [side * x, center[1] + axes[1] * Math.sin(angle)]);
  });
}

/** Moves hue and chroma (CIE Lab) inside an area to the color's. */
function tint(
  { data, width, height }: Image,
  { polygons, within }: Area,
  feather: number,
  { color, strength }: Required<Paint>,
): void {
  const window = windowAround(polygons.flat(), { width, height }, 3 * feather);
  const [left, top, right, bottom] = window;
  if (left >= right || top >= bottom) return;
  const share = softMask(polygons, feather, window);
  const bound = within && softMask(within, constants.OUTLINE_FEATHER * feather, window);
  bound?.forEach((value, i) => (share[i] *= value));
  const pixelOf = (i: number) =>
    ((top + Math.floor(i / (right - left))) * width + left + (i % (right - left))) * 4;
  const labOf = (at: number) => toLab(data[at], data[at + 1], data[at + 2]);
  let [lightness, total] = [0, 0];
  share.forEach((part, i) => {
    if (!part) return;
    lightness += part * labOf(pixelOf(i))[0];
    total += part;
  });
  const paint = toLab(...color);
  const lighter = constants.LIGHTNESS_SHARE * (paint[0] - lightness / Math.max(total, 1e-6));
  share.forEach((whole, i) => {
    if (!whole) return;
    const [at, part] = [pixelOf(i), whole * strength];
    const [l, a, b] = labOf(at);
    // The clamped array rounds.
    data.set(
      fromLab([l + part * lighter, a + part * (paint[1] - a), b + part * (paint[2] - b)]),
      at,
    );
  });
}
