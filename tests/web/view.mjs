// Opens a GLB in three.js in headless Chromium: node view.mjs FILE OUT.png
// Left: the walk, a third of the way through. Right: the face at rest with jawOpen and eyeBlinkLeft.
// Prints what it found as JSON; exit status 1 when something a character file must have is missing.
import { filesNamed, look } from "./browser.mjs";

const [file, out] = filesNamed("view.mjs");
await look("view.html", file, out, { width: 1200, height: 900 }, (report) => ({
  "skinned meshes": report.skinnedMeshes > 0,
  bones: report.bones > 0,
  textures: report.untextured === 0,
  "jawOpen and eyeBlinkLeft": report.facesThatMove > 0,
  "the clip walk": report.clips.includes("walk"),
  "movement of a centimetre in the walk": report.mostBoneMovement > 0.01,
}));
