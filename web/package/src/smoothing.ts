/**
 * One-Euro smoothing of keypoints in video, in the face's own coordinates, as in Python's
 * `smoothing.py`: the filter of Casiez, Roussel and Vogel (CHI 2012) on the head's motion and on
 * the residual shape.
 */

import { smoothing } from "./constants";
import { centroid, clip, fitSimilarity, mean, sum, type Matrix, type Point } from "./geometry";

export interface OneEuroParams {
  /** Cutoff at rest in Hz; lower is smoother. */
  readonly min_cutoff: number;
  /** Rise of the cutoff with speed, Hz per unit per second; higher is prompter. */
  readonly beta: number;
  /** Cutoff of the speed's own low-pass in Hz. */
  readonly speed_cutoff: number;
  /** Predict by constant velocity; only deviations count as speed. */
  readonly constant_velocity: boolean;
}

/** Filters one pair of values over time. */
export class OneEuroFilter {
  private value: Point | null = null;
  private speed: Point = [0, 0];
  private velocity: Point = [0, 0];

  constructor(private readonly params: OneEuroParams) {}

  /** The filtered pair, `step` seconds after the last; `trust` is a factor of the cutoff. */
  update(value: Point, step: number, trust = 1, unit = 1): Point {
    if (!this.value) return (this.value = value);
    const { min_cutoff, beta, speed_cutoff, constant_velocity } = this.params;
    const expected = moved(this.value, this.velocity, step);
    const innovation = moved(value, expected, -1);
    const rate: Point = [innovation[0] / step, innovation[1] / step];
    this.speed = moved(this.speed, moved(rate, this.speed, -1), lowPass(speed_cutoff, step));
    const cutoff = min_cutoff + (beta * Math.hypot(...this.speed)) / unit;
    const gain = lowPass(cutoff * trust, step);
    // Benedict and Bordner's (1962) velocity gain.
    if (constant_velocity) this.velocity = moved(this.velocity, rate, gain ** 2 / (2 - gain));
    return (this.value = moved(expected, innovation, gain));
  }
}

/** Smooths the points of one face through a video. */
export class FaceSmoother {
  private time = -Infinity;
  private reference: Point[] | null = null;
  private angle = 0;
  private shape: OneEuroFilter[] = [];
  private position = new OneEuroFilter(smoothing.MOTION);
  private logZoom = new OneEuroFilter(smoothing.MOTION);

  /** The smoothed points of this frame; `sigma` in pixels, `time` in rising seconds. */
  update(points: Point[], sigma: readonly number[], time: number): Point[] {
    const gap = time - this.time;
    if (!this.reference || !(gap >= 0 && gap <= smoothing.MAX_GAP)) this.restart(points);
    const matrix = fitSimilarity(this.reference ?? points, points);
    const [a, , x, b, , y] = matrix;
    const size = Math.hypot(a, b);
    if (!size) {
      this.reference = null;
      return points;
    }
    const step = clip(gap, smoothing.MIN_STEP, smoothing.MAX_GAP);
    this.time = time;
    // Unwrapped: without jumps by a whole turn.
    const turn = 2 * Math.PI;
    const change = (((Math.atan2(b, a) - this.angle + Math.PI) % turn) + turn) % turn;
    this.angle += change - Math.PI;
    const trust = sigma.map((one) => trustOf(one / size));
    const steady = mean(trust);
    const position = this.position.update([x, y], step, steady, size);
    const [log, angle] = this.logZoom.update([Math.log(size), this.angle], step, steady);
    const zoom = Math.exp(log);
    const [c, d] = [zoom * Math.cos(angle), zoom * Math.sin(angle)];
    return points.map((point, i): Point => {
      const [u, v] = this.shape[i].update(normalized(point, matrix), step, trust[i]);
      return [c * u - d * v + position[0], d * u + c * v + position[1]];
    });
  }

  private restart(points: Point[]): void {
    this.reference = centered(points);
    this.angle = 0;
    this.shape = points.map(() => new OneEuroFilter(smoothing.SHAPE));
    this.position = new OneEuroFilter(smoothing.MOTION);
    this.logZoom = new OneEuroFilter(smoothing.MOTION);
  }
}

/** `start + share * way`. */
function moved(start: Point, way: Point, share: number): Point {
  return [start[0] + share * way[0], start[1] + share * way[1]];
}

/** The share of a new value that a low-pass lets through. */
function lowPass(cutoff: number, step: number): number {
  const turn = 2 * Math.PI * cutoff * step;
  return turn / (turn + 1);
}

/** The factor of the cutoff for a sigma in eye distances. */
function trustOf(sigma: number): number {
  return clip(smoothing.TYPICAL_SIGMA / Math.max(sigma, 1e-6), 0.5, 2);
}

/** A point before a similarity moved it. */
function normalized([px, py]: Point, [a, , x, b, , y]: Matrix): Point {
  const [u, v] = [px - x, py - y];
  const square = a * a + b * b;
  return [(a * u + b * v) / square, (a * v - b * u) / square];
}

/** The points centered on 0, with an eye distance of about 1. */
function centered(points: Point[]): Point[] {
  const [x, y] = centroid(points);
  const squares = points.map(([px, py]) => (px - x) ** 2 + (py - y) ** 2);
  const radius = Math.sqrt(sum(squares) / points.length);
  const unit = smoothing.EYES_OVER_RADIUS * Math.max(radius, 1e-9);
  return points.map(([px, py]): Point => [(px - x) / unit, (py - y) / unit]);
}
