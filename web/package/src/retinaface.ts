/** RetinaFace, the detector: from a view of an image to the candidates in it. */

import { retinaface } from "./constants";
import type { Candidate } from "./candidates";
import { boxIou, type Box, type Point } from "./geometry";
import type { Image } from "./image";
import type { Session } from "./session";

interface Raw {
  box: Box;
  score: number;
  points: Point[];
}

/** What may be a face in a view, each once, best first. */
export async function findCandidates(
  session: Session,
  view: Image,
  minScore: number,
): Promise<Candidate[]> {
  const shape = [1, 3, view.height, view.width];
  const outputs = await session.run("input", channels(view), shape);
  const [loc, conf, landmarks] = [outputs.loc.data, outputs.conf.data, outputs.landmarks.data];
  const found: Raw[] = [];
  let anchor = 0;
  for (const [stride, sides] of retinaface.ANCHORS) {
    const columns = Math.ceil(view.width / stride);
    const cells = columns * Math.ceil(view.height / stride);
    for (let cell = 0; cell < cells; cell++) {
      for (const side of sides) {
        const score = conf[2 * anchor + 1];
        if (score > minScore) {
          const x = ((cell % columns) + 0.5) * stride;
          const y = (Math.floor(cell / columns) + 0.5) * stride;
          const move = loc.subarray(4 * anchor, 4 * anchor + 4);
          const marks = landmarks.subarray(10 * anchor, 10 * anchor + 10);
          found.push({
            box: decodeBox(x, y, side, move),
            score,
            points: decode(x, y, side, marks),
          });
        }
        anchor++;
      }
    }
  }
  return suppress(found).map(({ box, score, points }) => {
    return { box: tight(box), score, points, turn: 0, spare: false };
  });
}

/** The network's input: blue, green, red, each less its mean. */
function channels({ data, width, height }: Image): Float32Array {
  const count = width * height;
  const pixels = new Float32Array(3 * count);
  retinaface.MEAN_BGR.forEach((mean, channel) => {
    for (let i = 0; i < count; i++) pixels[channel * count + i] = data[4 * i + 2 - channel] - mean;
  });
  return pixels;
}

/** SSD's box code, with variances 0.1 and 0.2. */
function decodeBox(x: number, y: number, side: number, move: Float32Array): Box {
  const [[left, top]] = decode(x, y, side, move);
  const [width, height] = [side * Math.exp(move[2] * 0.2), side * Math.exp(move[3] * 0.2)];
  return [left - width / 2, top - height / 2, left + width / 2, top + height / 2];
}

/** Points from pairs of offsets, in pixels of the view. */
function decode(x: number, y: number, side: number, moves: Float32Array): Point[] {
  return Array.from({ length: moves.length / 2 }, (_, i): Point => {
    return [x + side * moves[2 * i] * 0.1 - 0.5, y + side * moves[2 * i + 1] * 0.1 - 0.5];
  });
}

/** Non-maximum suppression: best first, without those that overlap a better one. */
function suppress(found: Raw[]): Raw[] {
  const kept: Raw[] = [];
  for (const one of found.sort((a, b) => b.score - a.score)) {
    if (kept.every(({ box }) => boxIou(box, one.box) <= retinaface.NMS_IOU)) kept.push(one);
  }
  return kept;
}

/** The tight box around the keypoints in a detected box. */
function tight([x0, y0, x1, y1]: Box): Box {
  const { left, top, right, bottom } = retinaface.ADJUSTMENT;
  const [width, height] = [x1 - x0, y1 - y0];
  return [x0 + left * width, y0 + top * height, x1 + right * width, y1 + bottom * height];
}
