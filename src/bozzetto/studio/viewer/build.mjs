// viewer.js, posture.js and three.js in one file, with three.js's licence above them: npm ci && npm run build
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { build } from "esbuild";

const licence = await readFile(new URL("node_modules/three/LICENSE", import.meta.url), "utf8");
const source = createHash("sha256"); // a test compares
for (const name of ["viewer.js", "posture.js"]) source.update(await readFile(name));
await build({
  entryPoints: ["viewer.js"],
  outfile: "viewer.min.js",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  charset: "utf8",
  legalComments: "none",
  banner: { js: `/* Made of viewer.js and posture.js (sha256 ${source.digest("hex")}) and of three.js (threejs.org):\n${licence.trim()}\n*/` },
});
