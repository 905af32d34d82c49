/** Effects, files and the camera of the built page; its fake camera shows two drawn faces. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostBuilt, waitForStatus, watchErrors } from "./visit";

const FRAMES = new URL("../../package/tests/fixtures/", import.meta.url);
const [WIDTH, HEIGHT, COUNT] = [320, 240, 20];

/** The first frames of the clip of the package's tests, for Chromium's fake camera. */
function writeClip(path: string): void {
  const parts = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F30:1 Ip A1:1 C420jpeg\n`)];
  for (let frame = 0; frame < COUNT; frame++) {
    const name = `frame_${String(frame).padStart(2, "0")}.rgb`;
    const rgb = readFileSync(new URL(name, FRAMES));
    const plane = (offset: number, r: number, g: number, b: number) =>
      Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => {
        return offset + (r * rgb[3 * i] + g * rgb[3 * i + 1] + b * rgb[3 * i + 2]) / 255;
      });
    parts.push(Buffer.from("FRAME\n"), Buffer.from(plane(16, 65.5, 128.6, 25)));
    parts.push(Buffer.from(subsampled(plane(128, -37.8, -74.2, 112))));
    parts.push(Buffer.from(subsampled(plane(128, 112, -93.8, -18.2))));
  }
  writeFileSync(path, Buffer.concat(parts));
}

function subsampled(plane: Uint8Array): Uint8Array {
  return plane.filter((_, i) => i % 2 === 0 && Math.floor(i / WIDTH) % 2 === 0);
}

describe("the page", () => {
  const folder = mkdtempSync(join(tmpdir(), "facedots-"));
  const { newPage, open } = hostBuilt(
    "use-fake-ui-for-media-stream",
    "use-fake-device-for-media-stream",
    `use-file-for-fake-video-capture=${join(folder, "camera.y4m")}`,
  );
  let page: Page;

  beforeAll(async () => {
    writeClip(join(folder, "camera.y4m"));
    page = await open();
    await page.click("#sample");
    await waitForStatus(page, "^1 face in");
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  const shown = () => page.locator("#view").evaluate((view: HTMLCanvasElement) => view.toDataURL());
  const changes = async (before: string) => {
    await page.waitForFunction(
      (old) => document.querySelector<HTMLCanvasElement>("#view")?.toDataURL() !== old,
      before,
    );
  };
  const download = async (button: string) => {
    const [file] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
    return readFile(await file.path());
  };

  it.each(["lips", "brows", "blush", "hat", "sunglasses", "dog-nose"])(
    "puts on %s and takes it off",
    async (name) => {
      const plain = await shown();
      await page.check(`[name=${name}]`);
      await changes(plain);
      const dressed = await shown();
      await page.uncheck(`[name=${name}]`);
      await changes(dressed);
      expect(await shown()).toBe(plain);
    },
  );

  it.each(["blur", "pixelate", "solid"])("anonymizes: %s", async (method) => {
    const plain = await shown();
    await page.selectOption("#anonymize", method);
    await changes(plain);
    const covered = await shown();
    await page.selectOption("#anonymize", "");
    await changes(covered);
    expect(await shown()).toBe(plain);
  });

  it("leaves pixels to the worker", async () => {
    const other = await open();
    const errors = watchErrors(other);
    await other.evaluate(() => {
      CanvasRenderingContext2D.prototype.getImageData = () => {
        throw new Error("the page reads pixels");
      };
    });
    for (const name of ["lips", "hat"]) await other.check(`[name=${name}]`);
    await other.selectOption("#anonymize", "blur");
    await other.click("#sample");
    await waitForStatus(other, "^1 face in");
    expect(errors).toEqual([]);
  });

  it("mirrors what it shows, not the results", async () => {
    const [plain, table] = [await shown(), await download("#csv")];
    await page.check("[name=mirror]");
    await changes(plain);
    expect((await download("#csv")).equals(table)).toBe(true);
    await page.uncheck("[name=mirror]");
  });

  it("saves Python's CSV", async () => {
    const [names, row, ...rest] = (await download("#csv")).toString().split("\n");
    expect(names).toMatch(
      /^frame,face_id,confidence,success,x_0,x_1,.*,visibility_0,.*,pupil_x_0,/,
    );
    expect(row).toMatch(/^1,0,0\.\d{4},1,\d+\.\d\d,.*,sample\.jpg$/);
    expect(row.split(",")).toHaveLength(names.split(",").length);
    expect(rest).toEqual([""]);
  });

  it("shows several faces of the camera, their signals over time and blinks", async () => {
    await page.click("#camera");
    await waitForStatus(page, "2 faces");
    const tables = page.locator("#faces table");
    await tables.nth(1).waitFor();
    expect(await tables.first().textContent()).toContain("blinks");
    const drawn = await tables
      .first()
      .locator("canvas")
      .evaluateAll((all) =>
        (all as HTMLCanvasElement[]).map((canvas) => {
          const pixels = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height);
          return pixels?.data.some((value) => value > 0);
        }),
      );
    expect(drawn).toHaveLength(8);
    expect(drawn).toContain(true);
  });

  it("records the camera with effects as WebM", async () => {
    await page.selectOption("#anonymize", "solid");
    await page.click("#record");
    expect(await page.getAttribute("#record", "aria-pressed")).toBe("true");
    await page.waitForTimeout(1500);
    const video = await download("#record");
    expect(await page.getAttribute("#record", "aria-pressed")).toBe("false");
    const viewer = await newPage();
    const size = await viewer.evaluate(async (data) => {
      const player = document.createElement("video");
      player.src = `data:video/webm;base64,${data}`;
      await new Promise((resolve) => (player.onloadeddata = resolve));
      return [player.videoWidth, player.videoHeight];
    }, video.toString("base64"));
    expect(size).toEqual([WIDTH, HEIGHT]);
    await page.click("#camera");
  });
});
