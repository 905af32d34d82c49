/** Who sees badly, has no mouse or a small screen. */

import AxeBuilder from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { hostBuilt, waitForStatus } from "./visit";

/** A folder for screenshots, to be looked at. */
const SHOTS = process.env.SCREENSHOTS;

const { open } = hostBuilt();

describe("with an image and the look inside", () => {
  let page: Page;

  beforeAll(async () => {
    page = await open();
    await page.click("#sample");
    await waitForStatus(page, "^1 face in");
    await page.click("#inside summary");
    await page.waitForSelector("#inside-kernels li");
  });

  it.each([
    ["desktop", 1280, "light"],
    ["desktop", 1280, "dark"],
    ["phone", 360, "light"],
    ["phone", 360, "dark"],
  ] as const)(
    "axe finds nothing on a %s (%d pixels wide), %s, and nothing is wider",
    async (name, width, colorScheme) => {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      const path = `${SHOTS}/${name}-${colorScheme}.png`;
      if (SHOTS) await page.screenshot({ path, fullPage: true });
    },
  );
});

describe("by keyboard alone", () => {
  it("every control is reached in the order of the page, with a visible focus", async () => {
    const page = await open();
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
          const { left, top } = control.getBoundingClientRect();
          const place = `${Math.round(left)} ${Math.round(top + scrollY)}`;
          return `${outlineStyle} ${outlineWidth} ${control.tagName} ${control.id || place}`;
        }),
      );
    }
    expect(seen.every((control) => control.startsWith("solid 3px"))).toBe(true);
    expect(new Set(seen).size).toBe(reachable);
    expect(seen[0]).toContain("BUTTON open");
  });
});
