import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, constants, gunzipSync } from "node:zlib";
import { defineConfig } from "vite";

const OUT = new URL("dist/", import.meta.url).pathname;
const CACHE = new URL("../node_modules/.cache/brotli/", import.meta.url).pathname;
const PACKED = new Set([".css", ".html", ".js", ".svg", ".txt", ".webmanifest"]);

/** The files of the page are known once they are written: for the service worker, and by brotli. */
const finish = {
  name: "finish",
  writeBundle: {
    order: "post",
    sequential: true,
    handler() {
      const files = readdirSync(OUT, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(OUT.length))
        .sort();
      listFiles(files);
      for (const file of files) {
        if (PACKED.has(extname(file)) || /(runtime\.wasm|worker\.js)-/.test(file)) pack(file);
      }
    },
  },
};

/** Tell the service worker the files, and the version of those whose name stays. */
function listFiles(files) {
  const worker = join(OUT, "service-worker.js");
  const others = files.filter((file) => file !== "service-worker.js");
  const version = createHash("sha256");
  for (const file of others) version.update(readFileSync(join(OUT, file)));
  const list = JSON.stringify(others);
  const code = readFileSync(worker, "utf8")
    .replace("__FILES__", list)
    .replace("__VERSION__", JSON.stringify(version.digest("hex").slice(0, 16)));
  writeFileSync(worker, code);
}

/** Write `FILE.br`; for a file packed by gzip, of what it holds. */
function pack(file) {
  const data = readFileSync(join(OUT, file));
  const kept = join(CACHE, createHash("sha256").update(data).digest("hex"));
  if (!existsSync(kept)) {
    mkdirSync(CACHE, { recursive: true });
    const plain = file.endsWith(".gz") ? gunzipSync(data) : data;
    const params = { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS };
    writeFileSync(kept, brotliCompressSync(plain, { params }));
  }
  writeFileSync(join(OUT, `${file}.br`), readFileSync(kept));
}

export default defineConfig({
  base: "./",
  plugins: [finish],
  build: {
    assetsInlineLimit: 0,
    rollupOptions: {
      input: { index: "index.html", "service-worker": "service-worker/service-worker.ts" },
      output: {
        entryFileNames: ({ name }) =>
          name === "service-worker" ? "[name].js" : "assets/[name]-[hash].js",
      },
    },
  },
});
