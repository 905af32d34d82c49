/**
 * The search for faces of any size: views of an image from coarse to fine, large ones in tiles, and
 * a second look at every weak candidate. As Python's `search.py`, for heads tilted by up to 45°.
 */

import { distinct, givingWay, mapped, shareInside, squareOf, type Candidate } from "./candidates";
import { retinaface, search } from "./constants";
import {
  boxCenter,
  boxSide,
  compose,
  cropMatrix,
  invert,
  round,
  type Box,
  type Matrix,
  type Square,
} from "./geometry";
import { cutImage, type Image } from "./image";
import { findCandidates } from "./retinaface";
import type { Session } from "./session";
import type { Detection } from "./types";
import { resizeImage, warpImage } from "./warp";

type Span = [start: number, end: number];

/**
 * Which faces to look for: from 1/11 of the image's long side on (`fast`), from 1/32 (`default`), or
 * from 24 pixels (`thorough`). The smaller, the longer it takes.
 */
export type Search = keyof typeof search.MIN_FACES;

const ROLLS = [-45, 0, 45];

export class SearchingDetector {
  private readonly certainScore: number;

  /** Faces with a score below `minScore`, in [0, 1], are dropped. */
  constructor(
    private readonly session: Session,
    private readonly minScore: number = retinaface.DEFAULTS.min_score,
  ) {
    this.certainScore = 1 - search.DOUBT * (1 - minScore);
  }

  /** The faces in an image, best first. */
  async detect(image: Image, kind: Search = retinaface.DEFAULTS.search): Promise<Detection[]> {
    const lowest = Math.min(search.HINTS[kind], this.minScore);
    let found: Candidate[] = [];
    for (const zoom of zooms(image.width, image.height, search.MIN_FACES[kind])) {
      const tiled = zoom * Math.max(image.width, image.height) > search.TILE;
      found = this.merged(found, await this.look(image, zoom, lowest), zoom, tiled);
    }
    const faces = await this.secondLook(image, found);
    return faces.map((face) => ({ box: face.box, score: face.score, square: squareOf(face) }));
  }

  /** The candidates in the whole image at one zoom. */
  private async look(image: Image, zoom: number, lowest: number): Promise<Candidate[]> {
    const parts: Candidate[] = [];
    for (const [left, right] of spans(image.width, zoom)) {
      for (const [top, bottom] of spans(image.height, zoom)) {
        const tile = cutImage(image, left, top, right, bottom);
        const view = resized(tile, zoom);
        const [xStep, yStep] = [tile.width / view.width, tile.height / view.height];
        const [x, y] = [xStep / 2 - 0.5 + left, yStep / 2 - 0.5 + top];
        const edges: Box = [
          left > 0 ? left : -Infinity,
          top > 0 ? top : -Infinity,
          right < image.width ? right : Infinity,
          bottom < image.height ? bottom : Infinity,
        ];
        for (const one of await this.strongest(view, lowest)) {
          const part = mapped(one, [xStep, 0, x, 0, yStep, y]);
          parts.push(givingWay(part, isCut(part.box, edges)));
        }
      }
    }
    return parts;
  }

  /** The distinct candidates in a view, of the weak ones the strongest. */
  private async strongest(view: Image, lowest: number): Promise<Candidate[]> {
    const found = distinct(await findCandidates(this.session, view, lowest));
    const weak = found.findIndex(({ score }) => score < this.minScore);
    return weak < 0 ? found : found.slice(0, weak + search.MAX_HINTS);
  }

  /**
   * Of both views the faces that it sees well; parts of large faces, as an eye, are dropped from
   * the fine one.
   */
  private merged(coarse: Candidate[], fine: Candidate[], zoom: number, tiled: boolean) {
    if (!coarse.length) return fine;
    const largest = retinaface.VIEW_FACES[1] / zoom;
    const giants = coarse.filter((one) => this.isCertain(one) && boxSide(one.box) > largest);
    const isPart = ({ box }: Candidate) =>
      giants.some((giant) => shareInside(box, giant.box) > search.PART_INSIDE);
    const limit = tiled ? search.OVERLAP / zoom : largest;
    return [
      ...coarse.map((one) => givingWay(one, boxSide(one.box) <= limit / 2)),
      ...fine.filter((one) => boxSide(one.box) <= largest && !isPart(one)),
    ];
  }

  /** The distinct faces, after each weak or doubtful candidate was looked at zoomed and upright. */
  private async secondLook(image: Image, found: Candidate[]): Promise<Candidate[]> {
    const faces = distinct(found.map((one) => givingWay(one, !this.isCertain(one))));
    const parts = faces
      .filter((one) => this.isCertain(one))
      .map((one) => givingWay(one, !squareOf(one)));
    for (const one of faces) {
      const square = squareOf(one);
      if (this.isCertain(one) && square) continue;
      const bar = this.isCertain(one) ? this.minScore : this.certainScore;
      const [x, y] = boxCenter(one.box);
      const tries = square ? [square] : ROLLS.map((roll): Square => [x, y, boxSide(one.box), roll]);
      let best: Candidate | null = null;
      for (const one of tries) {
        const look = await this.uprightLook(image, one);
        if (look && look.score >= bar && !(best && best.score >= look.score)) best = look;
      }
      if (best) parts.push(best);
    }
    return distinct(parts);
  }

  private isCertain({ score }: Candidate): boolean {
    return score >= this.minScore;
  }

  /** The face, if there is one, in a tilted square of the image. */
  private async uprightLook(image: Image, square: Square): Promise<Candidate | null> {
    const [view, back] = uprightView(image, square);
    const middle = (search.SECOND_VIEW - 1) / 2;
    const found = await findCandidates(this.session, view, this.minScore);
    const face = found.find((one) => {
      const [x, y] = boxCenter(one.box);
      const off = Math.max(Math.abs(x - middle), Math.abs(y - middle));
      return off < search.SECOND_FACE / 2 && squareOf(one);
    });
    return face ? mapped(face, back) : null;
  }
}

/** From image to view, coarse to fine. */
function zooms(
  width: number,
  height: number,
  [pixels, share]: readonly [pixels: number, share: number],
): number[] {
  const long = Math.max(width, height);
  const [viewFace, largest] = retinaface.VIEW_FACES;
  const smallest = Math.max(pixels, share * long, viewFace / search.MAX_ZOOM);
  const zoom = Math.min(viewFace / smallest, search.MAX_ZOOM);
  let side = Math.max(zoom * long, Math.min(long, search.WHOLE_VIEW), search.SMALLEST_VIEW);
  const sides = [side];
  while (side > largest) {
    side = Math.max(side / search.COARSER, search.COARSEST_VIEW);
    sides.unshift(side);
  }
  return sides.map((side) => side / long);
}

/** Start and end of each tile along a side of the image; equal ones that share the overlap. */
function spans(length: number, zoom: number): Span[] {
  const [tile, overlap] = [search.TILE / zoom, search.OVERLAP / zoom];
  const count = Math.max(1, Math.ceil((length - overlap) / (tile - overlap)));
  const side = (length + (count - 1) * overlap) / count;
  const step = count > 1 ? (length - side) / (count - 1) : 0;
  return Array.from({ length: count }, (_, i): Span => {
    return [Math.floor(i * step), Math.min(length, Math.ceil(i * step + side))];
  });
}

function resized(image: Image, zoom: number): Image {
  const side = (length: number) => Math.max(1, round(length * zoom));
  return resizeImage(image, side(image.width), side(image.height));
}

/** A view of one face from its tilted square, and the map back to the image. */
function uprightView(image: Image, [x, y, side, roll]: Square): [Image, Matrix] {
  const wide = (side * search.SECOND_VIEW) / search.SECOND_FACE;
  const [left, top] = [Math.max(0, Math.trunc(x - wide)), Math.max(0, Math.trunc(y - wide))];
  const near = cutImage(image, left, top, Math.trunc(x + wide) + 2, Math.trunc(y + wide) + 2);
  const matrix = cropMatrix([x - left, y - top, wide, roll], search.SECOND_VIEW);
  const view = warpImage(near, matrix, search.SECOND_VIEW, search.SECOND_VIEW);
  return [view, compose([1, 0, left, 0, 1, top], invert(matrix))];
}

/** Whether a box touches an edge of its tile that is none of the image, the others being infinite. */
function isCut([x0, y0, x1, y1]: Box, [left, top, right, bottom]: Box): boolean {
  const { EDGE } = search;
  return x0 - left < EDGE || y0 - top < EDGE || right - x1 < EDGE || bottom - y1 < EDGE;
}
