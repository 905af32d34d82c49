/** First visits, counted in bytes, and later ones without a network. */

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, serve } from "../../package/tests/browser";
import { BUILT, waitForStatus, watchErrors } from "./visit";

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(() => browser.close());

async function findSample(page: Page): Promise<void> {
  await page.click("#sample");
  await waitForStatus(page, "^1 face in");
}

describe.each([
  ["brotli", true, 4.6e6],
  ["a plain host", false, 6e6],
] as const)("by %s", (_name, brotli, limit) => {
  let host: Awaited<ReturnType<typeof serve>>;
  let page: Page;
  let errors: string[];

  beforeAll(async () => {
    host = await serve(BUILT, {}, { brotli });
    page = await browser.newPage();
    errors = watchErrors(page);
    await page.goto(`${host.address}/`);
    await findSample(page);
  });

  afterAll(() => host.close());

  it("the first visit with tiny is light, the service worker's copies included", () => {
    expect(host.sent()).toBeGreaterThan(4e6);
    expect(host.sent()).toBeLessThan(limit);
  });

  it("the second visit works without the host and a network, at 0 bytes", async () => {
    const before = host.sent();
    host.close();
    await page.context().setOffline(true);
    await page.goto(`${host.address}/`);
    await findSample(page);
    expect(host.sent() - before).toBe(0);
    expect(errors).toEqual([]);
  });
});

describe("the installed page", () => {
  it("is what browsers offer to install", async () => {
    const host = await serve(BUILT);
    const page = await browser.newPage();
    await page.goto(`${host.address}/`);
    const session = await page.context().newCDPSession(page);
    const { errors } = await session.send("Page.getAppManifest");
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    host.close();
    expect(errors).toEqual([]);
    // Contexts of Playwright are incognito, where nothing can be installed.
    const names = installabilityErrors.map(({ errorId }) => errorId);
    expect(names.filter((name) => name !== "in-incognito")).toEqual([]);
  });
});

describe("a newer service worker", () => {
  it("does not hold up the page while it is installed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "facedots-"));
    cpSync(BUILT, folder, { recursive: true });
    const host = await serve(folder);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${host.address}/`);
    await findSample(page);
    const endless =
      'addEventListener("install", (event) => event.waitUntil(new Promise(() => {})))';
    writeFileSync(join(folder, "service-worker.js"), endless);
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      void registration.update();
      while (!registration.installing) await new Promise((resolve) => setTimeout(resolve, 50));
    });
    const other = await context.newPage();
    await other.goto(`${host.address}/`);
    await findSample(other);
    host.close();
    rmSync(folder, { recursive: true });
  });
});
