import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../../src/facedots/assets/web",
    emptyOutDir: true,
    assetsInlineLimit: 0,
  },
});
