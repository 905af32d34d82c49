/** What the page says where something is missing. */

import { crc32, deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { launchChromium } from "../../package/tests/browser";
import { hostBuilt, waitForStatus } from "./visit";

const { open } = hostBuilt();

/** A PNG of black pixels, of one bit each, since a browser takes long to write a large one. */
function blackPng(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [size, sum] = [data.length, crc32(body)].map((value) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes;
    });
    return Buffer.concat([size, body, sum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 1;
  const rows = deflateSync(Buffer.alloc((1 + width / 8) * height));
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", rows),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

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

  it("for an image too large, and where no image is pasted", { timeout: 300_000 }, async () => {
    const page = await open();
    const buffer = blackPng(16_000, 6_300);
    await page.setInputFiles("#file", { name: "wall.png", mimeType: "image/png", buffer });
    // It is decoded twice and drawn once: a minute where ten processes share two cores.
    const words = "^16000 x 6300 pixels; at most 100 megapixels are read";
    await waitForStatus(page, words, 240_000);
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
