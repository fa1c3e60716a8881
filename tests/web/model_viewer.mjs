// Opens a GLB in model-viewer in headless Chromium, from the front, four metres away: node model_viewer.mjs FILE OUT.png
// Prints what it found as JSON; exit status 1 when something a character file must have is missing.
import { filesNamed, look } from "./browser.mjs";

const [file, out] = filesNamed("model_viewer.mjs");
await look("model_viewer.html", file, out, { width: 640, height: 640 }, (report) => ({
  "a file that opens": !report.error,
  materials: report.materials > 0,
  "the clip walk": report.clips?.includes("walk"),
}));
