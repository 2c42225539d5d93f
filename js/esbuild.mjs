// Bundles the card for anywidget: one ES module and one style sheet.
import * as esbuild from "esbuild";

const watch = process.argv.includes("--watch");
const options = {
  entryPoints: [
    { in: "src/panel/index.tsx", out: "panel" },
    { in: "style/index.css", out: "panel" },
  ],
  outdir: "../chutes_nb/static",
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: !watch,
  sourcemap: watch ? "inline" : false,
  legalComments: "none",
  logLevel: "info",
};
if (watch) {
  await (await esbuild.context(options)).watch();
} else {
  await esbuild.build(options);
}
