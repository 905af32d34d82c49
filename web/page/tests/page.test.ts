/** The built page in Chromium, from a host that knows nothing but files. */

import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, serve } from "../../package/tests/browser";

const BUILT = new URL("../dist", import.meta.url).pathname;

describe("the page", () => {
  let browser: Browser;
  let host: Awaited<ReturnType<typeof serve>>;
  let page: Page;
  const requests: string[] = [];
  const errors: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium(
      "use-fake-ui-for-media-stream",
      "use-fake-device-for-media-stream",
    );
    host = await serve(BUILT);
    page = await browser.newPage();
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(`${host.address}/`);
  });

  afterAll(async () => {
    await browser.close();
    host.close();
  });

  const waitFor = (pattern: string) =>
    page.waitForFunction(
      (text) => new RegExp(text).test(document.querySelector("#status")?.textContent ?? ""),
      pattern,
    );

  it("asks for the camera only after a click, and loads networks only when needed", () => {
    expect(requests.some((url) => url.includes(".onnx"))).toBe(false);
  });

  it("finds the face of the sample, by keyboard, and draws it", async () => {
    await page.focus("#sample");
    await page.keyboard.press("Enter");
    await waitFor("^1 face in");
    expect(await page.textContent("#faces")).toContain("yaw");
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
    await waitFor("notes.txt is not an image");
  });

  it("follows the camera until it is switched off", async () => {
    await page.click("#camera");
    await page.waitForSelector("#speed:text('ms a frame')");
    expect(await page.getAttribute("#camera", "aria-pressed")).toBe("true");
    await page.click("#camera");
    expect(await page.getAttribute("#camera", "aria-pressed")).toBe("false");
  });

  it("asks nothing of another origin and breaks no policy", () => {
    expect(requests.every((url) => url.startsWith(host.address) || url.startsWith("blob:"))).toBe(
      true,
    );
    expect(errors).toEqual([]);
  });
});
