/** Whom the camera's anonymization hides: also somebody who comes into the image beside others. */

import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { hostBuilt, watchErrors } from "./visit";

/** A camera that shows the sample's face once or twice, and what the page drew of the second one. */
interface Stage {
  second: boolean;
  /** Of each drawn frame, where the second face's nose would be. */
  seen: ("background" | "black" | "face")[];
}

declare global {
  interface Window {
    stage: Stage;
  }
}

describe("the camera, anonymized", () => {
  const { open } = hostBuilt();
  let page: Page;
  let errors: string[];

  beforeAll(async () => {
    page = await open();
    errors = watchErrors(page);
    for (const layer of ["dots", "ellipses"]) await page.uncheck(`[name=${layer}]`);
    await page.evaluate(async () => {
      const face = await createImageBitmap(await (await fetch("./sample.jpg")).blob());
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [2 * face.width, face.height];
      const context = canvas.getContext("2d")!;
      const stage: Stage = { second: false, seen: [] };
      setInterval(() => {
        context.fillStyle = "#fff";
        context.fillRect(0, 0, canvas.width, canvas.height);
        context.drawImage(face, 0, 0);
        if (stage.second) context.drawImage(face, face.width, 0);
      }, 40);
      navigator.mediaDevices.getUserMedia = () => Promise.resolve(canvas.captureStream());
      const drawn = document.querySelector<HTMLCanvasElement>("#view")!.getContext("2d")!;
      new MutationObserver(() => {
        const { data } = drawn.getImageData(1.5 * face.width, face.height / 2, 1, 1);
        const brightness = data[0] + data[1] + data[2];
        stage.seen.push(brightness > 720 ? "background" : brightness < 45 ? "black" : "face");
      }).observe(document.querySelector("#speed")!, { childList: true });
      window.stage = stage;
    });
  });

  const setSecond = (second: boolean) =>
    page.evaluate((one) => (window.stage.second = one), second);
  const waitFor = (what: Stage["seen"][0]) =>
    page.waitForFunction((one) => window.stage.seen.at(-1) === one, what);
  const forget = () => page.evaluate(() => (window.stage.seen = []));
  const seen = () => page.evaluate(() => window.stage.seen);

  it("hides at once who came into the image before it was chosen", async () => {
    await page.click("#camera");
    await waitFor("background");
    await setSecond(true);
    await waitFor("face");
    await page.selectOption("#anonymize", "solid");
    await forget();
    await page.waitForFunction(() => window.stage.seen.length >= 8);
    expect(new Set(await seen())).toEqual(new Set(["black"]));
  });

  it("hides who comes later from the first frame on", async () => {
    await setSecond(false);
    await waitFor("background");
    await forget();
    await setSecond(true);
    await waitFor("black");
    expect(await seen()).not.toContain("face");
    expect(errors).toEqual([]);
  });
});
