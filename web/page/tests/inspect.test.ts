/** "Look inside" on the built page in Chromium. */

import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { hostBuilt, watchErrors } from "./visit";

describe("looking inside", () => {
  const { newPage, address } = hostBuilt();
  let page: Page;
  let errors: string[];
  const files: string[] = [];

  beforeAll(async () => {
    page = await newPage();
    page.on("request", (request) => request.url().includes("inspection") && files.push("asked"));
    errors = watchErrors(page);
    await page.goto(address());
    await page.click("#sample");
    await page.waitForFunction(() => document.querySelector("#faces table"));
  });

  const look = () =>
    page.$eval("#inside-crop", (canvas) => (canvas as HTMLCanvasElement).toDataURL());
  const waitForChange = (before: string) =>
    page.waitForFunction(
      (old) => document.querySelector<HTMLCanvasElement>("#inside-crop")?.toDataURL() !== old,
      before,
    );

  it("loads its file when it is opened, by keyboard", async () => {
    expect(files).toEqual([]);
    await page.focus("#inside summary");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#inside-kernels li");
    expect(files).toEqual(["asked"]);
    expect(await page.textContent("#inside-status")).toMatch(/sees 112 × 112 .* 14 × 14 cells/);
    expect(await page.locator("#inside-kernels canvas").count()).toBe(2 * 8);
  });

  it("shows the heatmap of a keypoint, by keyboard", async () => {
    const all = await look();
    await page.focus("#inside-point");
    await page.keyboard.press("ArrowDown");
    expect(await page.getAttribute("#inside-crop", "aria-label")).toContain("jaw 0");
    const first = await look();
    await page.keyboard.press("ArrowDown");
    expect(new Set([all, first, await look()]).size).toBe(3);
  });

  it("shows the heatmap of the keypoint under the pointer", async () => {
    await page.hover("#inside-crop", { position: { x: 20, y: 20 } });
    const away = await look();
    await page.hover("#inside-crop");
    expect(await page.$eval("#inside-point", (list) => (list as HTMLSelectElement).value)).toMatch(
      /^(27|28|29|3[0-5])$/,
    );
    expect(await look()).not.toBe(away);
  });

  it("follows the camera", async () => {
    await page.evaluate(async () => {
      const face = await createImageBitmap(await (await fetch("./sample.jpg")).blob());
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [face.width, face.height];
      let shift = 0;
      setInterval(() => canvas.getContext("2d")?.drawImage(face, ++shift % 20, 0), 50);
      navigator.mediaDevices.getUserMedia = () => Promise.resolve(canvas.captureStream());
    });
    const still = await look();
    await page.click("#camera");
    await waitForChange(still);
    await waitForChange(await look());
    await page.click("#camera");
    expect(files).toEqual(["asked"]);
    expect(errors).toEqual([]);
  });
});
