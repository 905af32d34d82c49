/** The packed package in a fresh Vite project and in a page with an import map. */

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { build, createServer } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as facedots from "../src/index";
import { launchChromium, serve, visit } from "./browser";
import { cases, farthest, largestGap } from "./fixtures";

declare global {
  interface Window {
    facedots: typeof facedots;
  }
}

const PACKAGE = new URL("../", import.meta.url).pathname;
const EXAMPLE = /```js\n(.*?)```/s.exec(readFileSync(join(PACKAGE, "README.md"), "utf8"))![1];
const MAIN = `${EXAMPLE}
import * as facedots from "facedots";
window.facedots = facedots;
console.log("done");
`;
const BODY = `<!doctype html><title>app</title><img src="portrait.png" alt="">`;
const IMPORTS = JSON.stringify({ imports: { facedots: "./node_modules/facedots/dist/index.js" } });
const POLICY = [
  "default-src 'none'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src blob:",
].join("; ");

const app = mkdtempSync(join(tmpdir(), "facedots-"));
const { image, faces } = cases.images[0];
let browser: Browser;

beforeAll(async () => {
  const npm = (...args: string[]) => execFileSync("npm", args, { cwd: app, encoding: "utf8" });
  const [tarball] = npm("pack", PACKAGE, "--silent").trim().split("\n");
  writeFileSync(join(app, "package.json"), JSON.stringify({ private: true, type: "module" }));
  npm("install", "--offline", "--no-audit", "--no-fund", `./${tarball}`);
  mkdirSync(join(app, "public"));
  for (const folder of [".", "public"]) {
    copyFileSync(new URL("fixtures/one.png", import.meta.url), join(app, folder, "portrait.png"));
  }
  const script = `<script type="module" src="./main.js"></script>`;
  writeFileSync(join(app, "main.js"), MAIN);
  writeFileSync(join(app, "index.html"), BODY + script);
  await build({ root: app, base: "./", logLevel: "warn" });
  writeFileSync(
    join(app, "plain.html"),
    `${BODY}<script type="importmap">${IMPORTS}</script>${script}`,
  );
  browser = await launchChromium();
});

afterAll(async () => {
  await browser.close();
  rmSync(app, { recursive: true });
});

/** What the example of the README prints: the nose tip, its sigma, and the yaw. */
function expectExample(lines: string[]): void {
  const numbers = lines
    .join(" ")
    .match(/-?\d+\.\d+/g)!
    .map(Number);
  const [face] = faces;
  const expected = [
    ...face.points[30],
    Math.sqrt((face.covariance[30][0] + face.covariance[30][2]) / 2),
  ];
  expect(largestGap(numbers.slice(0, 3), expected)).toBeLessThan(0.05);
  expect(Math.abs(numbers[3] - face.pose.yaw)).toBeLessThan(0.5);
}

describe("in a page with an import map", () => {
  it("the lines of the README work", async () => {
    const host = await serve(app);
    const { lines } = await visit(await browser.newPage(), `${host.address}/plain.html`);
    expectExample(lines);
    host.close();
  });
});

describe("in a fresh Vite project", () => {
  let host: Awaited<ReturnType<typeof serve>>;
  let page: Page;
  let seen: Awaited<ReturnType<typeof visit>>;

  beforeAll(async () => {
    host = await serve(join(app, "dist"), { "Content-Security-Policy": POLICY });
    page = await browser.newPage();
    seen = await visit(page, `${host.address}/`);
  });

  afterAll(() => host.close());

  it("the lines of the README work under a strict policy", () => {
    expectExample(seen.lines);
  });

  it("they work from its development server", async () => {
    const server = await createServer({ root: app, logLevel: "warn", server: { port: 0 } });
    await server.listen();
    const { lines } = await visit(await browser.newPage(), server.resolvedUrls!.local[0]);
    expectExample(lines);
    await server.close();
  });

  it("nothing is asked of another origin", () => {
    expect(seen.requests.length).toBeGreaterThan(5);
    const own = new URL(host.address).origin; // that of the worker's blob as well
    for (const url of seen.requests) expect(new URL(url).origin).toBe(own);
  });

  it("takes files, bitmaps, canvases and pixels, and leaves them to their owner", async () => {
    const found = await page.evaluate(async () => {
      const dots = await window.facedots.FaceDots.create();
      const img = document.querySelector("img")!;
      const bitmap = await createImageBitmap(img);
      const canvas = new OffscreenCanvas(img.naturalWidth, img.naturalHeight);
      const context = canvas.getContext("2d")!;
      context.drawImage(img, 0, 0);
      const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
      const sources = [await canvas.convertToBlob(), bitmap, bitmap, canvas, pixels, pixels];
      const points = [];
      for (const source of sources) points.push((await dots.detect(source))[0].points);
      dots.close();
      return points;
    });
    expect(found).toHaveLength(6);
    for (const points of found) expect(farthest(points, faces[0].points)).toBeLessThan(0.3);
  });

  it("puts a look on a copy of an image, as its effects do on pixels", async () => {
    const gap = await page.evaluate(async () => {
      const { FaceDots, anonymizer, loadSticker, makeup, stickers } = window.facedots;
      const dots = await FaceDots.create();
      const img = document.querySelector("img")!;
      const context = new OffscreenCanvas(img.naturalWidth, img.naturalHeight).getContext("2d")!;
      const pixelsOf = (image: CanvasImageSource) => {
        context.drawImage(image, 0, 0);
        return context.getImageData(0, 0, context.canvas.width, context.canvas.height);
      };
      const faces = await dots.detect(img);
      const hat = await loadSticker("hat");
      const look = { makeup: ["lips" as const], stickers: [hat], anonymize: { method: "solid" } };
      const plain = pixelsOf(img);
      const dressed = pixelsOf(await dots.dress(img, faces, look as facedots.Look, [faces[0]]));
      dots.close();
      const expected = pixelsOf(img);
      const effects = [makeup("lips"), stickers([hat]), anonymizer({ method: "solid" })];
      for (const effect of effects) effect(expected, faces);
      const largest = (one: ImageData, other: ImageData) =>
        one.data.reduce((most, value, i) => Math.max(most, Math.abs(value - other.data[i])), 0);
      return { dressed: largest(dressed, expected), plain: largest(plain, expected) };
    });
    expect(gap.dressed).toBeLessThan(2);
    expect(gap.plain).toBeGreaterThan(100);
  });

  it("tracks a video until it is left, each face under its number", async () => {
    const frames = await page.evaluate(async () => {
      const dots = await window.facedots.FaceDots.create();
      const img = document.querySelector("img")!;
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [img.naturalWidth, img.naturalHeight];
      const context = canvas.getContext("2d")!;
      const seen: { ids: unknown[]; time: number; width: number }[] = [];
      const draw = () => context.drawImage(img, seen.length, 0);
      draw();
      const timer = setInterval(draw, 20);
      const video = document.createElement("video");
      [video.srcObject, video.muted] = [canvas.captureStream(), true];
      await video.play();
      // On a busy machine, seconds may lie between two frames.
      for await (const { faces, time, width } of dots.track(video, { maxLostSeconds: 60 })) {
        seen.push({ ids: faces.map((face) => face.track_id), time, width });
        if (seen.length === 8) break;
      }
      clearInterval(timer);
      dots.close();
      return seen;
    });
    expect(frames.map(({ ids }) => ids)).toEqual(Array.from({ length: 8 }, () => [0]));
    expect(frames.every(({ width }) => width === image.width)).toBe(true);
    expect(frames.every(({ time }, i) => !i || time > frames[i - 1].time)).toBe(true);
  });

  it("says in a line what is wrong", async () => {
    const messages = await page.evaluate(async () => {
      const { FaceDots } = window.facedots;
      const failure = async (attempt: () => Promise<unknown>) =>
        attempt().then(
          () => "no error",
          (error: unknown) => String(error),
        );
      const dots = await FaceDots.create();
      const said = [
        await failure(() => FaceDots.create({ model: "huge" as "tiny" })),
        await failure(() => dots.detect(new Blob(["no image"]))),
        await failure(() => dots.detect(document.createElement("video"))),
      ];
      const pending = failure(() => dots.detect(document.querySelector("img")!));
      dots.close();
      return [...said, await pending];
    });
    expect(messages).toEqual([
      "FaceDotsError: no network is called huge; there are tiny, small",
      "FaceDotsError: not an image that this browser can decode",
      "FaceDotsError: the video has no frame yet; wait for its event loadeddata",
      expect.stringContaining("FaceDotsError: closed"),
    ]);
  });
});
