/** Builds `dist/`: the page's side, the worker, their types, and the files that they load. */

import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const RUNTIME = new URL(import.meta.resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"))
  .pathname;
const shared = { bundle: true, minify: true, target: "es2022", outdir: "dist" };

rmSync("dist", { recursive: true, force: true });
await build({ ...shared, entryPoints: ["src/index.ts"], format: "esm" });
// A classic script, which more browsers take as a worker than a module.
const location = { "import.meta.url": "self.location.href" };
const worker = { entryPoints: ["src/worker.ts"], format: "iife", define: location, write: false };
const { outputFiles } = await build({ ...shared, ...worker });
pack("worker.js", outputFiles[0].contents);
execFileSync("npx", ["tsc", "--project", "tsconfig.build.json"], { stdio: "inherit" });
const assets = readdirSync("assets");
for (const name of assets.filter((name) => name.endsWith(".png"))) {
  copyFileSync(`assets/${name}`, `dist/${name}`);
}
for (const name of assets.filter((name) => name.endsWith(".onnx"))) {
  pack(name, readFileSync(`assets/${name}`));
}
pack("runtime.wasm", readFileSync(RUNTIME));
for (const name of ["LICENSE", "LICENSE-WEIGHTS.md"]) copyFileSync(`../../${name}`, name);

/** Write `dist/NAME.gz`. */
function pack(name, data) {
  writeFileSync(`dist/${name}.gz`, gzipSync(data, { level: 9 }));
}
