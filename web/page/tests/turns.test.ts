/** The visitor who does not wait, changes his mind, comes back. */

import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { hostBuilt, waitForStatus } from "./visit";

declare global {
  interface Window {
    streams: MediaStream[];
  }
}

const { newPage, address, open } = hostBuilt(
  "use-fake-ui-for-media-stream",
  "use-fake-device-for-media-stream",
  "disable-features=BackForwardCache",
);

const shown = (page: Page) =>
  page.locator("#view").evaluate((view: HTMLCanvasElement) => view.toDataURL());

/** Whether the view becomes another one. */
async function changes(page: Page, before: string): Promise<void> {
  await page.waitForFunction(
    (old) => document.querySelector<HTMLCanvasElement>("#view")?.toDataURL() !== old,
    before,
  );
}

describe("an image", () => {
  let page: Page;

  beforeAll(async () => {
    page = await open();
    await page.click("#sample");
  });

  it("is measured anew with another network, asked for while the first one loads", async () => {
    for (const model of ["small", "tiny", "small"]) await page.selectOption("#model", model);
    await waitForStatus(page, "^1 face in");
    const tables = [await page.textContent("#faces")];
    await page.selectOption("#model", "tiny");
    const other = ([old]: (string | null)[]) =>
      document.querySelector("#faces")?.textContent !== old;
    await page.waitForFunction(other, tables);
    await waitForStatus(page, "^1 face in");
  });

  it("may be opened twice, and is the last of two that are opened at once", async () => {
    const file = await page.evaluate(async () => {
      const bytes = await (await fetch("./sample.jpg")).arrayBuffer();
      return Array.from(new Uint8Array(bytes));
    });
    const give = (name: string) =>
      page.setInputFiles("#file", { name, mimeType: "image/jpeg", buffer: Buffer.from(file) });
    await give("first.jpg");
    await give("second.jpg");
    await page.waitForSelector("#view[aria-label='second.jpg: 1 faces']");
    await page.click("#sample");
    await page.waitForSelector("#view[aria-label='sample.jpg: 1 faces']");
    await give("second.jpg");
    await page.waitForSelector("#view[aria-label='second.jpg: 1 faces']");
  });

  it("is recorded with its one frame", async () => {
    await page.click("#record");
    await page.waitForTimeout(500);
    const [video] = await Promise.all([page.waitForEvent("download"), page.click("#record")]);
    const viewer = await newPage();
    const stream = await video.createReadStream();
    const bytes = Buffer.concat(await stream.toArray()).toString("base64");
    const width = await viewer.evaluate(async (data) => {
      const player = document.createElement("video");
      player.src = `data:video/webm;base64,${data}`;
      await new Promise((resolve) => (player.onloadeddata = resolve));
      return player.videoWidth;
    }, bytes);
    expect(width).toBeGreaterThan(100);
  });
});

describe("anonymization", () => {
  it("covers at once, though a sticker is missing", async () => {
    const page = await open();
    await page.click("#sample");
    await waitForStatus(page, "^1 face in");
    const plain = await shown(page);
    await page.context().route(/hat-/, (route) => route.abort());
    // A click, not check(): the page may have taken the choice back before check() looks.
    await page.click("[name=hat]");
    await waitForStatus(page, "^the sticker hat cannot be loaded");
    expect(await page.isChecked("[name=hat]")).toBe(false);
    await page.selectOption("#anonymize", "solid");
    await changes(page, plain);
  });

  it("that the browser chooses again for one who comes back covers again", async () => {
    const page = await open();
    await page.selectOption("#anonymize", "solid");
    await page.click("#sample");
    await waitForStatus(page, "^1 face in");
    const covered = await shown(page);
    await page.goto("about:blank");
    await page.goBack();
    expect(await page.inputValue("#anonymize")).toBe("solid");
    await page.click("#sample");
    await waitForStatus(page, "^1 face in");
    expect(await shown(page)).toBe(covered);
  });
});

describe("the camera", () => {
  let page: Page;
  const states = () =>
    page.evaluate(() => window.streams.map((stream) => stream.getTracks()[0].readyState));

  beforeAll(async () => {
    page = await newPage();
    await page.addInitScript(() => {
      window.streams = [];
      const { mediaDevices } = navigator;
      const open = mediaDevices.getUserMedia.bind(mediaDevices);
      mediaDevices.getUserMedia = async (constraints) => {
        const stream = await open(constraints);
        window.streams.push(stream);
        return stream;
      };
    });
    await page.goto(address());
  });

  it("goes on in two tabs at once", async () => {
    const tabs = [await newPage(), await newPage()];
    for (const tab of tabs) {
      await tab.goto(address());
      await tab.click("#camera");
    }
    for (const tab of tabs) {
      await tab.waitForSelector("#speed:text('ms a frame')");
      await changes(tab, await shown(tab));
      await tab.close();
    }
  });

  it("that is switched off before it has started is off", async () => {
    await page.locator("#camera").evaluate((button: HTMLButtonElement) => {
      button.click();
      button.click();
    });
    await page.waitForFunction(() => window.streams.length === 1);
    await page.waitForTimeout(100);
    expect(await states()).toEqual(["ended"]);
    expect(await page.getAttribute("#camera", "aria-pressed")).toBe("false");
  });

  it("gives way to an image that is opened while it starts", async () => {
    await page.evaluate(() => {
      document.querySelector<HTMLButtonElement>("#camera")?.click();
      document.querySelector<HTMLButtonElement>("#sample")?.click();
    });
    await waitForStatus(page, "^1 face in");
    expect(await states()).toEqual(["ended", "ended"]);
  });

  it("goes on with another network, and says when it is taken away", async () => {
    await page.click("#camera");
    await page.waitForSelector("#speed:text('ms a frame')");
    await page.selectOption("#model", "small");
    await page.waitForSelector("#speed:empty", { state: "attached" });
    await page.waitForSelector("#speed:text('ms a frame')");
    await page.evaluate(() => {
      // As the browser does where the device is gone.
      const [track] = window.streams.at(-1)!.getTracks();
      track.stop();
      track.dispatchEvent(new Event("ended"));
    });
    await waitForStatus(page, "^The camera was disconnected");
    expect(await page.getAttribute("#camera", "aria-pressed")).toBe("false");
    expect(await states()).toEqual(Array.from({ length: 4 }, () => "ended"));
  });
});
