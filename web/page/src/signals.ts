/** What is measured of each face: a table, in a video with bars over time and counted blinks. */

import {
  BlinkCounter,
  guessEmotion,
  type Emotions,
  type Face,
  type SignalName,
  type Signals,
} from "facedots";

const FRAMES = 120;
const BAR_HEIGHT = 24;
/** The least range of bars, so that noise at rest stays small. */
const RANGE = 0.2;
/** Seconds of a video between two drawings; nobody reads faster. */
const PAUSE = 0.25;

interface Row {
  value: HTMLTableCellElement;
  bars: CanvasRenderingContext2D | null;
}

/** What is shown of a face beside its signals, by the name of its row. */
export function wordsOf({ score, pose, pupils, gaze, emotions }: Face): Record<string, string> {
  const lookingAt = (axis: "yaw" | "pitch") =>
    gaze ? `${fixed(gaze[axis], 0)} ± ${fixed(gaze.sigma, 0)}` : "–";
  return {
    score: fixed(score, 2),
    ...(pose && {
      "yaw °": fixed(pose.yaw, 0),
      "pitch °": fixed(pose.pitch, 0),
      "roll °": fixed(pose.roll, 0),
    }),
    ...(pupils && { "gaze yaw °": lookingAt("yaw"), "gaze pitch °": lookingAt("pitch") }),
    ...(emotions && { looks: emotionOf(emotions) }),
  };
}

function emotionOf(emotions: Emotions): string {
  const guess = guessEmotion(emotions);
  return guess === "unsure" ? guess : `${guess}, ${fixed(100 * emotions[guess], 0)} %`;
}

/** A number with so many decimals, without a minus before zero; a dash where it is not known. */
function fixed(value: number, digits: number): string {
  if (Number.isNaN(value)) return "–";
  return value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1");
}

/** The table of one face, updated in place. */
class FacePanel {
  readonly table = document.createElement("table");
  private readonly rows = new Map<string, Row>();
  private readonly blinks = new BlinkCounter();
  /** The last frames' signals. */
  private history: Signals[] = [];

  constructor(caption: string) {
    this.table.createCaption().textContent = caption;
  }

  /** Take note of a video's frame at a time in seconds. */
  add({ signals }: Face, time: number): void {
    if (!signals) return;
    this.blinks.update(signals, time);
    this.history = [...this.history, signals].slice(-FRAMES);
  }

  /** Show the face; with what was noted, where it is one of a video. */
  draw(face: Face, inVideo: boolean): void {
    for (const [name, words] of Object.entries(wordsOf(face))) this.write(name, words);
    const { signals } = face;
    if (!signals) return;
    for (const name of Object.keys(signals) as SignalName[]) {
      const { bars } = this.write(name.replaceAll("_", " "), fixed(signals[name], 2), inVideo);
      if (bars) {
        drawBars(
          bars,
          this.history.map((frame) => frame[name] || 0), // NaN where hidden
        );
      }
    }
    if (inVideo) this.write("blinks", String(this.blinks.count));
  }

  private write(name: string, words: string, hasBars = false): Row {
    const row = this.rows.get(name) ?? this.addRow(name, hasBars);
    row.value.textContent = words;
    return row;
  }

  private addRow(name: string, hasBars: boolean): Row {
    const line = this.table.insertRow();
    const head = document.createElement("th");
    [head.scope, head.textContent] = ["row", name];
    line.append(head);
    const cell = line.insertCell();
    const row: Row = { value: line.insertCell(), bars: null };
    if (hasBars) {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height, canvas.ariaHidden] = [FRAMES, BAR_HEIGHT, "true"];
      cell.append(canvas);
      row.bars = canvas.getContext("2d");
    }
    this.rows.set(name, row);
    return row;
  }
}

/** A bar for each value, the newest at the right, up or down from zero. */
function drawBars(context: CanvasRenderingContext2D, values: readonly number[]): void {
  const { canvas } = context;
  const top = Math.max(RANGE, ...values);
  const zoom = canvas.height / (top - Math.min(0, ...values));
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = getComputedStyle(canvas).color;
  context.beginPath();
  values.forEach((value, i) => {
    context.rect(canvas.width - values.length + i, top * zoom, 1, -value * zoom);
  });
  context.fill();
}

/** The tables of all faces. */
export class FacePanels {
  private readonly panels = new Map<number, FacePanel>();
  private drawn = -Infinity;

  constructor(private readonly root: HTMLElement) {}

  /** Show the faces of an image, or of a video's frame at a time in seconds. */
  update(faces: readonly Face[], time: number | null): void {
    if (time === null) this.clear();
    const panels = faces.map((face, i) => this.panelOf(face.track_id ?? i));
    if (time !== null) {
      panels.forEach((panel, i) => panel.add(faces[i], time));
      if (time < this.drawn + PAUSE) return;
      this.drawn = time;
    }
    panels.forEach((panel, i) => panel.draw(faces[i], time !== null));
    const shown = panels.map(({ table }) => table);
    const before = Array.from(this.root.children);
    const same = shown.length === before.length && shown.every((table, i) => table === before[i]);
    if (!same) this.root.replaceChildren(...shown);
  }

  /** Forget all faces, as of another video. */
  clear(): void {
    this.panels.clear();
    this.drawn = -Infinity;
  }

  private panelOf(key: number): FacePanel {
    const panel = this.panels.get(key) ?? new FacePanel(`Face ${key + 1}`);
    this.panels.set(key, panel);
    return panel;
  }
}
