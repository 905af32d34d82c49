/** What the page says where something is missing. */

import { describe, expect, it } from "vitest";
import { launchChromium } from "../../package/tests/browser";
import { hostBuilt, waitForStatus } from "./visit";

const { open } = hostBuilt();

describe("clear words", () => {
  it("for a machine without a camera", async () => {
    const page = await open();
    await page.click("#camera");
    await waitForStatus(page, "^There is no camera");
  });

  it("for a camera that the user does not allow", async () => {
    const denying = await launchChromium(
      "use-fake-device-for-media-stream",
      "deny-permission-prompts",
    );
    const page = await open(denying);
    await page.click("#camera");
    await waitForStatus(page, "^The camera was not allowed");
    await denying.close();
  });

  it("for an image without a face, and a file that is no image", async () => {
    const page = await open();
    const give = (name: string, mimeType: string, buffer: Buffer) =>
      page.setInputFiles("#file", { name, mimeType, buffer });
    await give("notes.txt", "text/plain", Buffer.from("text"));
    await waitForStatus(
      page,
      "^notes.txt is not an image .* decode; for video there is the camera",
    );
    const pixels = await page.evaluate(() => {
      const canvas = document.createElement("canvas");
      return canvas.toDataURL("image/png").split(",")[1];
    });
    await give("empty.png", "image/png", Buffer.from(pixels, "base64"));
    await waitForStatus(page, "^No face found");
  });

  it("for an image too large, and where no image is pasted", async () => {
    const page = await open();
    const pixels = await page.evaluate(() => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [16_000, 6_300];
      return canvas.toDataURL("image/png").split(",")[1];
    });
    const buffer = Buffer.from(pixels, "base64");
    await page.setInputFiles("#file", { name: "wall.png", mimeType: "image/png", buffer });
    await waitForStatus(page, "^16000 x 6300 pixels; at most 100 megapixels are read");
    await page.evaluate(() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", "words");
      document.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
    });
    await waitForStatus(page, "^There is no image in it");
  });

  it("for many files at once", async () => {
    const page = await open();
    const words = await page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      for (let i = 0; i < 50; i++) dataTransfer.items.add(new File(["text"], `${i}.txt`));
      document.dispatchEvent(new DragEvent("drop", { dataTransfer }));
      return document.querySelector("#status")?.textContent;
    });
    expect(words).toBe("Opening 0.txt, the first of 50 files …");
  });

  it.each([
    ["WebAssembly", "--jitless", "^WebAssembly is missing"],
    ["SIMD", "--no-enable-sse4-1", "^this browser has no SIMD"],
  ])("for a browser without %s", async (_name, flag, words) => {
    const without = await launchChromium(`js-flags=${flag}`);
    const page = await open(without);
    await page.click("#sample");
    await waitForStatus(page, words);
    await without.close();
  });
});
