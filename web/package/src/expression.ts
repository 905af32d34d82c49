/** Expression signals (eyes, mouth, smile, brows) and blinks, as in Python's `expression.py`. */

import { expression } from "./constants";
import { clip, mean, percentile, type Point } from "./geometry";
import type { Signals } from "./types";

const BLINK = expression.BLINK;

/** The signals of frontal points; all but the shares `…_closed` are in outer-eye distances, NaN where hidden. */
export function expressionSignals(shape: readonly Point[]): Signals {
  const x = (i: number) => shape[i][0];
  const y = (...indices: number[]) => mean(indices.map((i) => shape[i][1]));
  const closed = (gap: number) => {
    const { OPEN_EYE, CLOSED_EYE } = expression;
    return clip((OPEN_EYE - gap) / (OPEN_EYE - CLOSED_EYE), 0, 1);
  };
  const [right, left] = [y(41, 40) - y(37, 38), y(47, 46) - y(43, 44)];
  const brows = y(36, 39, 42, 45) - y(17, 18, 19, 20, 21, 22, 23, 24, 25, 26);
  const smile = (x(54) - x(48)) / 2 - (y(48, 54) - y(33)) - expression.SMILE_AT_REST;
  return {
    right_eye_open: right,
    left_eye_open: left,
    right_eye_closed: closed(right),
    left_eye_closed: closed(left),
    mouth_open: y(67, 66, 65) - y(61, 62, 63),
    smile,
    brow_raise: brows - expression.BROWS_AT_REST,
    frown: expression.INNER_BROWS_AT_REST - (y(39, 42) - y(20, 21, 22, 23)),
  };
}

/** Counts the blinks of one person: both eyes close and reopen within half a second. */
export class BlinkCounter {
  /** Blinks so far. */
  count = 0;
  private history: { time: number; opening: number }[] = [];
  private closedSince: number | null = null;

  /** Add the signals of a frame, at a rising time in seconds; whether a blink ended with it. */
  update(signals: Signals, time: number): boolean {
    const opening = (signals.right_eye_open + signals.left_eye_open) / 2;
    if (Number.isNaN(opening)) return false;
    this.history.push({ time, opening });
    this.history = this.history.filter((entry) => entry.time >= time - BLINK.window);
    const openings = this.history.map((entry) => entry.opening);
    const share = opening / Math.max(percentile(openings, 75), 1e-6);
    if (this.closedSince === null) {
      this.closedSince = share < BLINK.closed ? time : null;
      return false;
    }
    if (share < BLINK.opened) return false;
    const blinked = time - this.closedSince <= BLINK.longest;
    this.closedSince = null;
    this.count += Number(blinked);
    return blinked;
  }
}
