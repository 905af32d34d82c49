/** Headless Chromium, and a host that knows nothing but files. */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { chromium, type Browser, type Page } from "playwright-core";

const TYPES: Record<string, string> = {
  ".css": "text/css",
  ".html": "text/html",
  ".jpg": "image/jpeg",
  ".js": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

/** With further switches of its command line. */
export function launchChromium(...switches: string[]): Promise<Browser> {
  const quiet = ["background-networking", "component-update", "sync"].map(
    (name) => `disable-${name}`,
  );
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["no-sandbox", "no-first-run", ...quiet, ...switches].map((name) => `--${name}`),
  });
}

/**
 * Serve a folder on localhost, by brotli where that is asked for and beside a file; its address, how
 * many bytes it sent, and what ends it.
 */
export async function serve(
  folder: string,
  headers: Record<string, string> = {},
  { brotli = false } = {},
) {
  let sent = 0;
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    const send = (data: Buffer, encoding: Record<string, string>) => {
      sent += data.length;
      response.writeHead(200, { "Content-Type": type, ...encoding, ...headers }).end(data);
    };
    const plain = () => readFile(file).then((data) => send(data, {}));
    const packed = () =>
      readFile(`${file}.br`).then((data) => send(data, { "Content-Encoding": "br" }));
    (brotli ? packed().catch(plain) : plain()).catch(() => response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const address = `http://localhost:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { address, sent: () => sent, close };
}

/** Open a page and wait until its console says `done`; what it said before, and its requests. */
export async function visit(page: Page, address: string) {
  const lines: string[] = [];
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => lines.push(`error: ${error.message}`));
  page.on("console", (message) => lines.push(message.text()));
  const done = page.waitForEvent("console", (message) => message.text() === "done");
  await page.goto(address);
  await done;
  return { lines, requests };
}
