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
// A classic script, which more browsers and bundlers take as a worker than a module.
const location = { "import.meta.url": "self.location.href" };
await build({ ...shared, entryPoints: ["src/worker.ts"], format: "iife", define: location });
execFileSync("npx", ["tsc", "--project", "tsconfig.build.json"], { stdio: "inherit" });
const networks = readdirSync("assets").map((name) => [name, `assets/${name}`]);
for (const [name, path] of [...networks, ["runtime.wasm", RUNTIME]]) {
  writeFileSync(`dist/${name}.gz`, gzipSync(readFileSync(path), { level: 9 }));
}
for (const name of ["LICENSE", "LICENSE-WEIGHTS.md"]) copyFileSync(`../../${name}`, name);
