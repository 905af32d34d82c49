/** What page and worker say to each other. */

import type { Frame } from "./decode";
import type { ModelName } from "./predictor";
import type { TrackOptions } from "./tracker";
import type { Face } from "./types";

export interface OpenRequest {
  type: "open";
  model: ModelName;
  /** Where the files of the package are. */
  urls: Record<"detector" | "network" | "runtime", string>;
  minScore?: number;
}

export interface TrackRequest {
  type: "track";
  /** One number for each video. */
  tracker: number;
  frame: Frame;
  /** Seconds, rising from frame to frame. */
  time: number;
  options: TrackOptions;
}

export type Request =
  | OpenRequest
  | TrackRequest
  | { type: "detect"; frame: Frame }
  | { type: "forget"; tracker: number };

export type Numbered<T> = T & { id: number };

export interface Result {
  faces: Face[];
  width: number;
  height: number;
}

export type Answer =
  { id: number; result: Result | null } | { id: number; error: string } | { progress: number };
