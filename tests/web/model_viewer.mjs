// Opens a GLB in model-viewer in headless Chromium, from the front, four metres away: node model_viewer.mjs FILE FOLDER/OUT.png
// FOLDER holds times.json and gets rest.png and the walk, paused at each time, as walk-TIME.png.
// Prints what it found as JSON; exit status 1 when something a character file must have is missing.
import { dirname, join } from "node:path";
import { filesNamed, look } from "./browser.mjs";

const [file, out] = filesNamed("model_viewer.mjs");
const judge = (report) => ({
  "a file that opens": !report.error,
  materials: report.materials > 0,
  "the clip walk": report.clips?.includes("walk"),
  "a clip that pauses": report.paused,
});
await look("model_viewer.html", file, out, { width: 640, height: 640 }, judge, { "/times": join(dirname(out), "times.json") });
