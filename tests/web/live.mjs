// Opens what "bozzetto view" serves: node live.mjs ADDRESS OUT.png
// Takes a pose and turns the head, moves a slider of the shape by the keyboard, and waits until the new figure is there.
// Prints what it found as JSON; exit status 1 when something is missing.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [address, out] = process.argv.slice(2);
if (!out) {
  console.error("usage: node live.mjs ADDRESS OUT.png");
  process.exit(2);
}
const profile = await mkdtemp(join(tmpdir(), "bozzetto-live-"));
let status = 1;
try {
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 960, height: 640 },
    args: ["--headless", "--no-sandbox", "--disable-background-networking", "--no-first-run", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
  });
  const report = { complaints: [], elsewhere: [] };
  try {
    const tab = await browser.newPage();
    tab.setDefaultTimeout(300_000);
    tab.on("pageerror", (error) => report.complaints.push(error.message));
    tab.on("request", (request) => request.url().startsWith(address) || /^(blob|data):/.test(request.url()) || report.elsewhere.push(request.url()));
    await tab.emulateMedia({ reducedMotion: "reduce" });
    const began = Date.now();
    const past = (name) => (report[name] = (Date.now() - began) / 1000);
    await tab.goto(address, { waitUntil: "commit" });
    await tab.waitForFunction(() => window.bozzetto);
    await tab.evaluate(() => bozzetto.ready);
    past("opened");
    report.poses = (await tab.locator("#pose option").count()) - 1;
    report.measures = await tab.locator("#measures input").count();
    report.before = await tab.evaluate(() => bozzetto.character.high);
    await tab.locator("#pose").selectOption("pose:sitting");
    await tab.locator("summary", { hasText: "Head" }).click();
    await tab.locator("input[aria-label='Head: turn']").focus();
    await tab.keyboard.press("End");
    const turns = () => bozzetto.character.joints.map((bone) => bone.quaternion.toArray());
    const before = await tab.evaluate(turns);
    await tab.locator("#measures input").first().focus();
    await tab.keyboard.press("End");
    report.busy = await tab.locator("#busy").innerText();
    await tab.waitForFunction((before) => bozzetto.character.high > before + 0.2, report.before);
    await tab.waitForFunction(() => document.getElementById("busy").hidden);
    past("rebuilt");
    report.after = await tab.evaluate(() => bozzetto.character.high);
    report.facts = await tab.locator("#facts").innerText();
    report.kept = String(before) === String(await tab.evaluate(turns)) && before.flat().some((part) => Math.abs(part) > 0.3 && Math.abs(part) < 0.9);
    await tab.locator("[data-view=quarter]").click();
    await tab.screenshot({ path: out });
  } finally {
    await browser.close();
  }
  const present = {
    "a quiet page": report.complaints.length === 0,
    "nothing from elsewhere": report.elsewhere.length === 0,
    "240 poses": report.poses >= 240,
    "5 measures": report.measures === 5,
    "words while it builds": /Building/.test(report.busy),
    "the pose kept": report.kept,
  };
  const missing = Object.keys(present).filter((name) => !present[name]);
  console.log(JSON.stringify({ ...report, missing }));
  status = missing.length ? 1 : 0;
} catch (error) {
  console.error(error.message);
} finally {
  await rm(profile, { recursive: true, force: true });
}
process.exit(status);
