/** Face tracking: stable IDs and temporally smoothed keypoints, as Python's `Tracker`. */

import { retinaface, track, tracker } from "./constants";
import { boxIou, sharedArea, type Box } from "./geometry";
import type { Image } from "./image";
import { assign } from "./linear";
import type { KeypointPredictor } from "./predictor";
import type { Search, SearchingDetector } from "./search";
import { Observation, removeDuplicates, Track } from "./track";
import type { Detection, Face } from "./types";

export interface TrackOptions {
  /** Whether to smooth the points over time. */
  smooth?: boolean;
  /** Frames between two searches for new faces while every face is confident. */
  detectEvery?: number;
  /** Which faces to look for; see Python's `--search`. */
  search?: Search;
  /** How long a hidden face keeps its track. */
  maxLostSeconds?: number;
}

/** What a frame of a video shows. */
export interface Tracking {
  faces: Face[];
  /** What may be faces too, but is too unclear to be followed: what hides faces must hide these. */
  doubtful: Face[];
  /** Whether new faces were looked for in this frame. */
  searched: boolean;
}

const DEFAULTS: Required<TrackOptions> = {
  smooth: tracker.DEFAULTS.smooth,
  detectEvery: tracker.DEFAULTS.detect_every,
  search: retinaface.DEFAULTS.search,
  maxLostSeconds: tracker.DEFAULTS.max_lost_seconds,
};

export class Tracker {
  /** How often the detector has run. */
  detectorRuns = 0;
  private options = DEFAULTS;
  private doubtful: Observation[] = [];
  private tracks: Track[] = [];
  private nextId = 0;
  private framesSinceDetection = 0;
  private size = "";

  constructor(
    private readonly detector: Pick<SearchingDetector, "detect">,
    private readonly predictor: Pick<KeypointPredictor, "predict">,
  ) {}

  /** The faces of the next frame by track ID; `now`: seconds, rising from frame to frame. */
  async update(image: Image, now: number, options: TrackOptions = {}): Promise<Tracking> {
    this.options = { ...DEFAULTS, ...options };
    this.doubtful = [];
    this.followSize(image);
    const limit = this.options.maxLostSeconds;
    this.tracks = this.tracks.filter((one) => Math.abs(now - one.time) <= limit);
    let observations = await this.propagate(image);
    this.framesSinceDetection++;
    if (this.needsDetection(observations)) observations = await this.detect(image, observations);
    this.associate(image, removeDuplicates(observations), now);
    return {
      faces: this.tracks.filter(({ visible }) => visible).map((one) => one.result()),
      doubtful: this.doubtful.map(({ face }) => face),
      searched: !this.framesSinceDetection,
    };
  }

  /** Where the frames change their size, look for the tracked faces anywhere in the image. */
  private followSize({ width, height }: Image): void {
    const size = `${width}x${height}`;
    if (this.size && this.size !== size) this.tracks.forEach((one) => one.displace());
    this.size = size;
  }

  /** The plausible faces in the visible tracks' last boxes. */
  private async propagate(image: Image): Promise<Observation[]> {
    const visible = this.tracks.filter((one) => one.visible);
    const boxes = visible.map(({ last }) => ({ box: last.tightBox, square: null }));
    const observations = await this.observe(image, boxes);
    observations.forEach((item, i) => {
      const { id, last } = visible[i];
      item.sources = new Set([id]);
      item.missedDetections = last.missedDetections;
      item.patience = last.patience;
    });
    return observations.filter((item) => item.plausible(image));
  }

  /** Whether the detector must run in this frame. */
  private needsDetection(observations: readonly Observation[]): boolean {
    const visible = this.tracks.filter((one) => one.visible).length;
    const frames = this.framesSinceDetection;
    const { detectEvery } = this.options;
    if (!observations.length || observations.length < visible || frames >= detectEvery) return true;
    const { RECHECK_EVERY } = tracker;
    const overdue = (item: Observation) => frames > Math.min(item.patience, RECHECK_EVERY);
    if (observations.some((item) => item.weak && overdue(item))) return true;
    const checks = observations
      .filter((item) => !item.confident)
      .map((item) => Math.max(RECHECK_EVERY, item.patience));
    if (this.tracks.length > visible) checks.push(RECHECK_EVERY);
    return frames >= Math.min(...checks, detectEvery);
  }

  /** Run the detector: confirm or drop the observations, and add new faces. */
  private async detect(image: Image, observations: Observation[]): Promise<Observation[]> {
    this.detectorRuns++;
    this.framesSinceDetection = 0;
    const detections = await this.detector.detect(image, this.options.search);
    for (const item of observations) confirm(item, detections);
    const firm = observations.filter((item) => !item.weak);
    const added = detections.filter(({ box }) => {
      return firm.every((item) => boxIou(box, item.tightBox) < tracker.NEW_FACE_IOU);
    });
    const faces = await this.observe(image, added);
    faces.forEach((item, i) => (item.detectionScore = added[i].score));
    this.doubtful = faces.filter((item) => !item.plausible(image));
    return [
      ...observations.filter((item) => !item.refuted),
      ...faces.filter((item) => item.plausible(image)),
    ];
  }

  /** The network's prediction in each box. */
  private async observe(image: Image, boxes: readonly Pick<Detection, "box" | "square">[]) {
    if (!boxes.length) return [];
    const faces = await this.predictor.predict(image, boxes);
    return faces.map((face) => new Observation(face));
  }

  /** Continue each track with its best observation, hide the others, start new tracks. */
  private associate(image: Image, observations: Observation[], now: number): void {
    const pairs = this.pairs(image, observations, now);
    const hidden = this.tracks
      .filter((_, row) => !pairs.has(row))
      .map((one) => one.expectedBox(now));
    const near = nearHeads([...observations.map((item) => item.tightBox), ...hidden]);
    this.tracks.forEach((one, row) => {
      const column = pairs.get(row);
      if (column === undefined) one.visible = false;
      else one.update(observations[column], image, now, !near[column].includes(true));
    });
    const paired = new Set(pairs.values());
    observations.forEach((item, column) => {
      if (paired.has(column)) return;
      // A new face near another one while one is hidden is likely the hidden one, half visible:
      // wait until it is clear.
      const crowded = hidden.length && near[column].slice(0, observations.length).includes(true);
      if (item.sources.size || item.weak || crowded) this.doubtful.push(item);
      else this.tracks.push(new Track(this.nextId++, item, image, now, this.options.smooth));
    });
  }

  /**
   * Which track (its row) continues with which observation; appearance counts only where faces
   * could be confused.
   */
  private pairs(image: Image, observations: Observation[], now: number): Map<number, number> {
    const sources = new Set(observations.flatMap((item) => [...item.sources]));
    const costs = this.tracks.map((one) =>
      observations.map((item) => {
        // A track that was propagated does not jump to a face found elsewhere.
        const possible = item.sources.has(one.id) || !sources.has(one.id);
        return possible ? one.positionCost(item, now) : Infinity;
      }),
    );
    const links = costs.flatMap((row, i) =>
      row.flatMap((cost, j): [number, number][] => (cost < Infinity ? [[i, j]] : [])),
    );
    const rows = new Map(links);
    const columns = new Set(rows.values());
    const unique = rows.size === links.length && columns.size === links.length;
    if (unique && links.every(([row]) => this.tracks[row].visible)) return rows;
    for (const [row, column] of links) {
      costs[row][column] += this.tracks[row].appearanceCost(observations[column], image);
    }
    return new Map(assign(costs, tracker.COST_LIMIT));
  }
}

/** Note whether the detector has found an observation. */
function confirm(item: Observation, detections: readonly Detection[]): void {
  const overlaps = detections.map(({ box }) => boxIou(box, item.tightBox));
  const best = overlaps.indexOf(Math.max(...overlaps));
  if (best < 0 || overlaps[best] < track.MIN_IOU) {
    item.detectionScore = null;
    item.patience = 0;
    item.missedDetections++;
    return;
  }
  item.detectionScore = detections[best].score;
  item.missedDetections = 0;
  if (!item.confident) item.patience = Math.max(tracker.RECHECK_EVERY, 2 * item.patience);
}

/** Which heads may hide each other, by their tight boxes. */
function nearHeads(boxes: readonly Box[]): boolean[][] {
  const heads = boxes.map(([x0, y0, x1, y1]): Box => {
    const [wide, high] = [tracker.HEAD_MARGIN * (x1 - x0), tracker.HEAD_MARGIN * (y1 - y0)];
    return [x0 - wide, y0 - high, x1 + wide, y1 + high];
  });
  return heads.map((head, i) => heads.map((other, j) => i !== j && sharedArea(head, other) > 0));
}
