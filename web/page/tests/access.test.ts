/** Who sees badly, has no mouse or a small screen. */

import AxeBuilder from "@axe-core/playwright";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, serve } from "../../package/tests/browser";
import { BUILT, waitForStatus } from "./visit";

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 740 };
/** A folder for screenshots, to be looked at. */
const SHOTS = process.env.SCREENSHOTS;

describe.each([
  ["desktop", DESKTOP, "light"],
  ["desktop", DESKTOP, "dark"],
  ["phone", PHONE, "light"],
  ["phone", PHONE, "dark"],
] as const)("on a %s (%o), %s", (name, viewport, colorScheme) => {
  let browser: Browser;
  let host: Awaited<ReturnType<typeof serve>>;

  beforeAll(async () => {
    browser = await launchChromium();
    host = await serve(BUILT);
  });

  afterAll(async () => {
    await browser.close();
    host.close();
  });

  it("axe finds nothing, and nothing is wider than the screen", async () => {
    const context = await browser.newContext({ viewport, colorScheme });
    const page = await context.newPage();
    await page.goto(`${host.address}/`);
    await page.click("#sample");
    await waitForStatus(page, "^1 face in");
    await page.click("#inside summary");
    await page.waitForSelector("#inside-kernels li");
    const { violations } = await new AxeBuilder({ page: page as never }).analyze();
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(viewport.width);
    if (SHOTS)
      await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}.png`, fullPage: true });
  });
});

describe("by keyboard alone", () => {
  it("every control is reached in the order of the page, with a visible focus", async () => {
    const browser = await launchChromium();
    const host = await serve(BUILT);
    const page = await browser.newPage();
    await page.goto(`${host.address}/`);
    const reachable = await page.$$eval(
      "a[href], button:enabled, input:not([hidden]):enabled, select:enabled, summary",
      (controls) => controls.filter((control) => control.checkVisibility()).length,
    );
    const seen: string[] = [];
    for (let i = 0; i < reachable; i++) {
      await page.keyboard.press("Tab");
      seen.push(
        await page.evaluate(() => {
          const control = document.activeElement as HTMLElement;
          const { outlineStyle, outlineWidth } = getComputedStyle(control);
          const top = Math.round(control.getBoundingClientRect().top + scrollY);
          return `${outlineStyle} ${outlineWidth} ${control.tagName} ${control.id || top}`;
        }),
      );
    }
    await browser.close();
    host.close();
    expect(seen.every((control) => control.startsWith("solid 3px"))).toBe(true);
    expect(new Set(seen).size).toBe(reachable);
    expect(seen[0]).toContain("BUTTON open");
  });
});
