/** What the tests of the built page share. */

import type { Page } from "playwright-core";

/** The built page, as any host serves it. */
export const BUILT = new URL("../dist", import.meta.url).pathname;

/** Wait until the page says something. */
export async function waitForStatus(page: Page, pattern: string): Promise<void> {
  await page.waitForFunction(
    (text) => new RegExp(text).test(document.querySelector("#status")?.textContent ?? ""),
    pattern,
  );
}

/** The messages of errors in the console and of uncaught ones, from now on. */
export function watchErrors(page: Page): string[] {
  const errors: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  return errors;
}
