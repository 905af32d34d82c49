/** The built page in Chromium, from a host that knows nothing but files. */

import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { hostBuilt, waitForStatus, watchErrors } from "./visit";

describe("the page", () => {
  const { newPage, address } = hostBuilt(
    "use-fake-ui-for-media-stream",
    "use-fake-device-for-media-stream",
  );
  let page: Page;
  let errors: string[];
  const requests: string[] = [];

  beforeAll(async () => {
    page = await newPage();
    page.on("request", (request) => requests.push(request.url()));
    errors = watchErrors(page);
    await page.goto(address());
  });

  it("asks for the camera only after a click, and loads networks only when needed", () => {
    expect(requests.some((url) => url.includes(".onnx"))).toBe(false);
  });

  it("finds the face of the sample, by keyboard, and draws it", async () => {
    await page.focus("#sample");
    await page.keyboard.press("Enter");
    await waitForStatus(page, "^1 face in");
    expect(await page.textContent("#faces")).toMatch(/yaw.*gaze yaw.*looks(unsure|\w+, \d+ %)/);
    const [plain, drawn] = [
      await page.screenshot(),
      (await page.check("[name=box]"), await page.screenshot()),
    ];
    expect(plain.equals(drawn)).toBe(false);
  });

  it("saves Python's JSON", async () => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#json")]);
    const results = JSON.parse(await readFile(await download.path(), "utf8")) as {
      schema_version: number;
      images: { source: string; faces: { points: number[][] }[] }[];
    };
    expect(results.schema_version).toBe(1);
    expect(results.images[0].source).toBe("sample.jpg");
    expect(results.images[0].faces[0].points).toHaveLength(68);
  });

  it("says that a file is no image", async () => {
    const buffer = Buffer.from("text");
    await page.setInputFiles("#file", {
      name: "notes.txt",
      mimeType: "text/plain",
      buffer,
    });
    await waitForStatus(page, "notes.txt is not an image");
  });

  it("follows the camera until it is switched off", async () => {
    await page.click("#camera");
    await page.waitForSelector("#speed:text('ms a frame')");
    expect(await page.getAttribute("#camera", "aria-pressed")).toBe("true");
    await page.click("#camera");
    expect(await page.getAttribute("#camera", "aria-pressed")).toBe("false");
  });

  it("asks nothing of another origin and breaks no policy", () => {
    expect(requests.every((url) => url.startsWith(address()) || url.startsWith("blob:"))).toBe(
      true,
    );
    expect(errors).toEqual([]);
  });
});
