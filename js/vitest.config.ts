import { defineConfig } from "vitest/config";

export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  server: { fs: { allow: [".."] } }, // the golden files are pytest's too
  test: {
    environment: "happy-dom",
    include: ["test/**/*.test.{ts,tsx}"],
    // Only to give up: a machine may have other work.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
