// Opens a VRM in three-vrm in headless Chromium: node view_vrm.mjs FILE FOLDER/OUT.png
// OUT.png, left: a pose, after the springs have swung for a second and a half. Then the face: the viseme aa, a blink with
// a smile, and a look aside. FOLDER holds orders.json and motion.vrma, as view_vrm.py writes them, and gets a picture of
// each view ordered, where the vertices then are, and the bones of the motion.
// Prints what it found as JSON; exit status 1 when something a VRM must have is missing.
import { dirname, join } from "node:path";
import { filesNamed, look } from "./browser.mjs";

const [file, out] = filesNamed("view_vrm.mjs");
const others = { "/orders": join(dirname(out), "orders.json"), "/motion": join(dirname(out), "motion.vrma") };
const judge = (report) => ({
  "VRM 1.0": report.metaVersion === "1",
  "a name and an author": Boolean(report.name) && report.authors.length > 0,
  "a thumbnail": report.thumbnail > 0,
  "the bones of a person, with fingers and eyes": report.humanBones >= 52,
  "18 presets": report.presets === 18,
  "52 ARKit expressions": report.customs >= 52,
  "a mouth that opens by a centimetre with aa": report.aaMoves > 0.01,
  "lids that close by 4 mm with blink": report.blinkMoves > 0.004,
  "eyes that turn": report.gazeTurns > 3,
  "an arm that moves": report.armMoves > 0.3,
  "springs that stay at rest": report.restDrift < 0.02,
  "springs that swing where there are springs": report.springJoints === 0 || report.swing > 0.005,
  "no clips": report.clips === 0,
});
await look("view_vrm.html", file, out, { width: 1500, height: 900 }, judge, others);
