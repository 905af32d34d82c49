/** Image files in the browser: the pixels that Python reads. */

import { build } from "esbuild";
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as decode from "../src/decode";
import { launchChromium } from "./browser";
import { cases } from "./fixtures";

declare global {
  interface Window {
    decode: typeof decode;
  }
}

const FIXTURES = new URL("fixtures/", import.meta.url);

describe("image files have the pixels that Python reads", () => {
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    browser = await launchChromium();
    page = await browser.newPage();
    const entry = new URL("../src/decode.ts", import.meta.url).pathname;
    const options = { bundle: true, format: "iife", globalName: "decode", write: false } as const;
    const { outputFiles } = await build({ ...options, entryPoints: [entry] });
    await page.evaluate(`${outputFiles[0].text}; window.decode = decode`);
  });

  afterAll(() => browser.close());

  it.each(cases.decoded)("$file", async ({ file, image, exact }) => {
    const [encoded, pixels] = [file, `${image.name}.rgb`].map(
      (name) => `data:;base64,${readFileSync(new URL(name, FIXTURES)).toString("base64")}`,
    );
    const own = await page.evaluate(
      async ([encoded, pixels]) => {
        const { data, width, height } = await window.decode.readFrame(
          await (await fetch(encoded)).blob(),
        );
        const expected = new Uint8Array(await (await fetch(pixels)).arrayBuffer());
        const count = (gap: number) =>
          expected.filter((value, i) => Math.abs(value - data[i + Math.floor(i / 3)]) > gap).length;
        return { width, height, different: count(0), far: count(1) };
      },
      [encoded, pixels],
    );
    const { width, height } = image;
    expect(own).toMatchObject({ width, height });
    if (exact) expect(own.different).toBe(0);
    expect(own.far).toBeLessThan((width * height * 3) / 2);
  });

  it("frames of a video have the colors that a canvas gives them", async () => {
    const gap = await page.evaluate(async () => {
      const [width, height] = [64, 48];
      const planes = Uint8Array.from({ length: width * height * 1.5 }, (_, i) => (i * 37) % 256);
      const layout = { codedWidth: width, codedHeight: height, timestamp: 0 };
      const frame = new VideoFrame(planes, { format: "I420", ...layout });
      const context = new OffscreenCanvas(width, height).getContext("2d")!;
      context.drawImage(frame, 0, 0);
      const expected = context.getImageData(0, 0, width, height).data;
      const { data } = await window.decode.readFrame(frame);
      return Math.max(...data.map((value, i) => Math.abs(value - expected[i])));
    });
    expect(gap).toBeLessThanOrEqual(2);
  });
});
