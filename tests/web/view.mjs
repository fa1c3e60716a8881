// Opens a GLB in three.js in headless Chromium: node view.mjs FILE OUT.png
// Left: the walk, a third of the way through. Right: the face at rest with jawOpen and eyeBlinkLeft.
// Prints what it found as JSON; exit status 1 when something a character file must have is missing.
import { createServer } from "node:http";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [file, out] = process.argv.slice(2);
if (!file || !out) {
  console.error("usage: node view.mjs FILE OUT.png");
  process.exit(2);
}

const here = fileURLToPath(new URL(".", import.meta.url));
const three = join(here, "node_modules", "three");
const types = { ".js": "text/javascript", ".html": "text/html; charset=utf-8" };

const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, "http://localhost").pathname);
  try {
    const source =
      path === "/" ? join(here, "view.html") : path === "/avatar.glb" ? file : join(three, path.replace(/^\/three/, ""));
    const body = await readFile(source);
    response.writeHead(200, { "content-type": types[extname(source)] ?? "application/octet-stream" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const profile = await mkdtemp(join(tmpdir(), "bozzetto-view-"));
let status = 1;
try {
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1200, height: 900 },
    args: [
      "--headless",
      "--no-sandbox",
      "--use-gl=angle",
      "--use-angle=swiftshader",
      "--enable-unsafe-swiftshader",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
    ],
  });
  try {
    const page = await browser.newPage();
    const complaints = [];
    const failed = new Promise((_, reject) => page.on("pageerror", reject));
    failed.catch(() => {}); // an error after the page is done is no news
    page.on("console", (message) => {
      const driver = /GPU stall|GL Driver Message/.test(message.text());
      if (["error", "warning"].includes(message.type()) && !driver) complaints.push(message.text());
    });
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const done = page.waitForFunction(() => window.found, undefined, { timeout: 120_000 });
    done.catch(() => {}); // the page's own error, if there is one, says more
    const found = await Promise.race([done, failed]);
    const report = { ...(await found.jsonValue()), complaints };
    await page.screenshot({ path: out });
    const missing = Object.entries({
      "skinned meshes": report.skinnedMeshes > 0,
      bones: report.bones > 0,
      textures: report.untextured === 0,
      "jawOpen and eyeBlinkLeft": report.facesThatMove > 0,
      "the clip walk": report.clips.includes("walk"),
      "movement of a centimetre in the walk": report.mostBoneMovement > 0.01,
      "a quiet console": complaints.length === 0,
    }).filter(([, present]) => !present);
    console.log(JSON.stringify({ ...report, missing: missing.map(([name]) => name) }));
    status = missing.length ? 1 : 0;
  } finally {
    await browser.close();
  }
} catch (error) {
  console.error(error.message);
} finally {
  server.close();
  server.closeAllConnections();
  await rm(profile, { recursive: true, force: true });
}
process.exit(status);
