/** What the tests of the built page share. */

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { launchChromium, serve } from "../../package/tests/browser";

/** The built page, as any host serves it. */
export const BUILT = new URL("../dist", import.meta.url).pathname;

/** Chromium, with further switches, and a host of the built page, while the tests around run. */
export function hostBuilt(...switches: string[]) {
  let browser: Browser;
  let host: Awaited<ReturnType<typeof serve>>;

  beforeAll(async () => {
    browser = await launchChromium(...switches);
    host = await serve(BUILT);
  });

  afterAll(async () => {
    await browser.close();
    host.close();
  });

  // axe needs a context of its own.
  const newPage = async (from = browser) => (await from.newContext()).newPage();
  const address = () => `${host.address}/`;
  const open = async (from = browser) => {
    const page = await newPage(from);
    await page.goto(address());
    return page;
  };
  return { newPage, address, open };
}

/** Wait until the page says something, at most this long in milliseconds. */
export async function waitForStatus(page: Page, pattern: string, timeout = 30_000): Promise<void> {
  await page.waitForFunction(
    (text) => new RegExp(text).test(document.querySelector("#status")?.textContent ?? ""),
    pattern,
    { timeout },
  );
}

/** The messages of errors in the console and of uncaught ones, from now on. */
export function watchErrors(page: Page): string[] {
  const errors: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  return errors;
}
