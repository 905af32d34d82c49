/** First visits, counted in bytes, and later ones without a network. */

import { createServer, type Server } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, TYPES } from "../../package/tests/browser";
import { BUILT, waitForStatus, watchErrors } from "./visit";

/** A host that counts what it sends, by brotli where that is beside a file. */
class CountingHost {
  sent = 0;
  private readonly server: Server;

  constructor(brotli: boolean) {
    this.server = createServer((request, response) => {
      const path = new URL(request.url ?? "/", "http://localhost").pathname;
      const file = join(BUILT, path === "/" ? "index.html" : path);
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      const plain = () => readFile(file).then((data) => ({ data, headers: {} }));
      const packed = () =>
        readFile(`${file}.br`).then((data) => ({ data, headers: { "Content-Encoding": "br" } }));
      (brotli ? packed().catch(plain) : plain()).then(
        ({ data, headers }) => {
          this.sent += data.length;
          response.writeHead(200, { "Content-Type": type, ...headers }).end(data);
        },
        () => response.writeHead(404).end(),
      );
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "localhost", resolve));
    return `http://localhost:${(this.server.address() as AddressInfo).port}/`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

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
  const host = new CountingHost(brotli);
  let address: string;
  let page: Page;
  let errors: string[];

  beforeAll(async () => {
    address = await host.start();
    page = await browser.newPage();
    errors = watchErrors(page);
    await page.goto(address);
    await findSample(page);
  });

  afterAll(() => host.stop());

  it("the first visit with tiny is light, the service worker's copies included", () => {
    expect(host.sent).toBeGreaterThan(4e6);
    expect(host.sent).toBeLessThan(limit);
  });

  it("the second visit works without the host and a network, at 0 bytes", async () => {
    const before = host.sent;
    host.stop();
    await page.context().setOffline(true);
    await page.goto(address);
    await findSample(page);
    expect(host.sent - before).toBe(0);
    expect(errors).toEqual([]);
  });
});

describe("the installed page", () => {
  it("is what browsers offer to install", async () => {
    const host = new CountingHost(false);
    const page = await browser.newPage();
    await page.goto(await host.start());
    const session = await page.context().newCDPSession(page);
    const { errors } = await session.send("Page.getAppManifest");
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    host.stop();
    expect(errors).toEqual([]);
    // Contexts of Playwright are incognito, where nothing can be installed.
    const names = installabilityErrors.map(({ errorId }) => errorId);
    expect(names.filter((name) => name !== "in-incognito")).toEqual([]);
  });
});
