/** What page and worker say to each other. */

import type { Frame } from "./decode";
import type { Point } from "./geometry";
import type { Inspection } from "./inspection";
import type { Look } from "./look";
import type { ModelName } from "./predictor";
import type { Tracking, TrackOptions } from "./tracker";
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

export interface InspectRequest {
  type: "inspect";
  /** Where the inspection file is, which is loaded at the first request. */
  url: string;
  frame: Frame;
  /** Of the face. */
  points: Point[];
}

export interface DressRequest {
  type: "dress";
  frame: Frame;
  faces: readonly Face[];
  /** Those to anonymize. */
  hidden: readonly Face[];
  look: Look;
}

export type Request =
  | OpenRequest
  | TrackRequest
  | InspectRequest
  | DressRequest
  | { type: "detect"; frame: Frame }
  | { type: "forget"; tracker: number };

export type Numbered<T> = T & { id: number };

export interface Result {
  faces: Face[];
  width: number;
  height: number;
}

export type TrackResult = Result & Tracking;

/** What the worker answers to each type of request. */
export interface Results {
  open: null;
  track: TrackResult;
  inspect: Inspection;
  dress: ImageBitmap;
  detect: Result;
  forget: null;
}

export type AnyResult = Results[keyof Results];

export type Answer =
  { id: number; result: AnyResult } | { id: number; error: string } | { progress: number };
