/** The page from real hosts: Python's own, which knows nothing but files, and `facedots web`. */

import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, serve } from "../../package/tests/browser";
import { BUILT, waitForStatus, watchErrors } from "./visit";

const PYTHON = process.env.PYTHON ?? "python3";

describe.each([
  ["http.server", ["http.server", "0", "--bind", "127.0.0.1", "--directory", BUILT]],
  ["facedots web", ["facedots", "web", "--port", "0"]],
] as const)("from %s", (_name, words) => {
  let browser: Browser;
  let host: ChildProcess;
  let address: string;
  let page: Page;

  beforeAll(async () => {
    browser = await launchChromium();
    const started = spawn(PYTHON, ["-u", "-m", ...words], { stdio: ["ignore", "pipe", "ignore"] });
    host = started;
    for await (const line of createInterface({ input: started.stdout })) {
      address = /http:[/\d.:]+/.exec(line)?.[0] ?? "";
      break;
    }
    page = await browser.newPage();
  });

  afterAll(async () => {
    await browser.close();
    host.kill();
  });

  it("it finds the face of the sample, and asks its host only", async () => {
    const requests: string[] = [];
    page.context().on("request", (request) => requests.push(request.url()));
    const errors = watchErrors(page);
    await page.goto(address);
    await page.click("#sample");
    await waitForStatus(page, "^1 face in");
    const own = [address, `blob:${address}`];
    expect(requests.length).toBeGreaterThan(8);
    expect(requests.filter((url) => !own.some((start) => url.startsWith(start)))).toEqual([]);
    expect(errors).toEqual([]);
  });

  it("neither page nor worker can ask another host", async () => {
    const other = await serve(BUILT);
    const target = `${other.address}/icon.svg`;
    const refused = await page.evaluate(async (url) => {
      const attempt = `fetch(${JSON.stringify(url)}, { mode: "no-cors" })
        .then(() => postMessage("sent"), () => postMessage("refused"));`;
      const worker = new Worker(URL.createObjectURL(new Blob([attempt])));
      const inWorker = new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
      const inPage = fetch(url, { mode: "no-cors" }).then(
        () => "sent",
        () => "refused",
      );
      return [await inPage, await inWorker];
    }, target);
    other.close();
    expect(refused).toEqual(["refused", "refused"]);
  });
});
