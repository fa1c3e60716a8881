// Opens a run's index.html from disk, without network: node page.mjs INDEX.html ORDERS.json FOLDER
// ORDERS.json: by state, {pose, angles, face, views: {name: {width, height, view, projection}}}, matrices as lists, columns
// first. Writes FOLDER/STATE-VIEW.png, FOLDER/STATE.points (where vertices are), FOLDER/joints.json, and FOLDER/page.png,
// pose.png, face.png, phone.png and no-webgl.png.
// Prints what it found as JSON; exit status 1 when something a page must have is missing.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, ordersFile, folder] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node page.mjs INDEX.html ORDERS.json FOLDER");
  process.exit(2);
}
const orders = JSON.parse(await readFile(ordersFile, "utf8"));
const profile = await mkdtemp(join(tmpdir(), "bozzetto-page-"));
const launch = (flags, name) =>
  chromium.launchPersistentContext(join(profile, name), {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1000, height: 700 },
    args: ["--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", ...flags],
  });
const png = (data) => Buffer.from(data.split(",")[1], "base64");

let status = 1;
try {
  const browser = await launch(["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"], "webgl");
  const report = { complaints: [], fetched: [] };
  try {
    await browser.setOffline(true);
    const tab = await browser.newPage();
    tab.setDefaultTimeout(120_000);
    tab.on("pageerror", (error) => report.complaints.push(error.message));
    tab.on("console", (message) => {
      const driver = /GPU stall|GL Driver Message/.test(message.text());
      if (["error", "warning"].includes(message.type()) && !driver) report.complaints.push(message.text());
    });
    tab.on("request", (request) => /^(file|blob|data):/.test(request.url()) || report.fetched.push(request.url()));
    await tab.emulateMedia({ reducedMotion: "reduce" });
    const began = Date.now();
    await tab.goto(pathToFileURL(file).href, { waitUntil: "commit" });
    await tab.waitForFunction(() => window.bozzetto);
    await tab.evaluate(() => bozzetto.ready);
    report.opened = (Date.now() - began) / 1000;

    const places = () => bozzetto.character.joints.map((bone) => bone.matrixWorld.elements.slice(12, 15)).flat();
    const joints = {};
    const shoot = async (state, views) => {
      for (const [view, { width, height, view: matrix, projection }] of Object.entries(views)) {
        const data = await tab.evaluate((shot) => bozzetto.coverage(...shot), [width, height, matrix, projection]);
        await writeFile(join(folder, `${state}-${view}.png`), png(data));
      }
      joints[state] = await tab.evaluate(places);
    };
    for (const [state, { pose, angles, face, views }] of Object.entries(orders)) {
      await tab.evaluate(([pose, angles, face]) => {
        bozzetto.move(pose);
        if (angles) bozzetto.bend(angles);
        const { expressions, resting } = bozzetto.character;
        bozzetto.set(face ? { ...Object.fromEntries(expressions.map((name) => [name, 0])), ...face } : resting);
      }, [pose, angles, face]);
      await shoot(state, views);
      const points = await tab.evaluate(() => {
        const out = [];
        for (const mesh of bozzetto.character.meshes) {
          const point = mesh.position.clone();
          for (let index = 0; index < mesh.geometry.attributes.position.count; index += 1) out.push(...mesh.localToWorld(mesh.getVertexPosition(index, point)));
        }
        return out;
      });
      await writeFile(join(folder, `${state}.points`), new Float32Array(points));
    }
    await tab.evaluate(() => bozzetto.set(bozzetto.character.resting));
    report.layers = await tab.locator("#layers input").count();
    report.tongue = (await tab.locator("#layers").innerText()).includes("Tongue");
    report.sliders = await tab.locator("#groups input").count();
    report.clips = await tab.locator("#clips button").allInnerTexts();
    report.bends = await tab.locator("#angles input").count();
    report.visemes = await tab.locator("#groups button").count();
    report.poses = (await tab.locator("#pose option").count()) - 1;

    if (report.clips.includes("Idle")) await tab.locator("#clips button", { hasText: "Idle" }).click();
    await tab.locator("[data-view=quarter]").click();
    await tab.screenshot({ path: join(folder, "page.png") });

    // The pose by its sliders, found by words and moved with the keyboard, one side and then both; back by the button.
    if (report.bends) {
      await tab.locator("#pose").selectOption("pose:walking");
      await tab.locator("[data-view=quarter]").click();
      const seen = () => tab.evaluate(() => bozzetto.picture());
      const before = [await seen(), String(await tab.evaluate(places))];
      await tab.locator("#find").fill("left elb");
      report.found = await tab.locator("#angles .slide:visible, #groups .slide:visible").count();
      await tab.locator("input[aria-label='Left arm: elbow']").focus();
      await tab.keyboard.press("End");
      joints.elbow = await tab.evaluate(places);
      report.elbowSeen = before[0] !== (await seen());
      await tab.locator("#find").fill("");
      await tab.locator("#both").check();
      await tab.locator("summary", { hasText: "Right leg" }).click();
      await tab.locator("input[aria-label='Right leg: raise']").focus();
      await tab.keyboard.press("End");
      joints.legs = await tab.evaluate(places);
      await tab.screenshot({ path: join(folder, "pose.png") });
      await tab.locator("#both").uncheck();
      await tab.locator("#reset").click();
      report.reset = before[0] === (await seen()) && before[1] === String(await tab.evaluate(places));
      await tab.locator("summary", { hasText: "Right leg" }).click();
    }
    await writeFile(join(folder, "joints.json"), JSON.stringify(joints));

    // The jaw, by its slider and the keyboard; what is seen of it changes.
    await tab.locator("[data-view=face]").click();
    const shut = await tab.evaluate(() => bozzetto.picture());
    if (report.sliders) {
      await tab.locator("summary", { hasText: "Jaw" }).click();
      await tab.locator("input[aria-label='Jaw open']").focus();
      await tab.keyboard.press("End");
      await tab.locator("#presets button", { hasText: "As made" }).scrollIntoViewIfNeeded();
      report.jaw = await tab.evaluate(() => Math.max(...bozzetto.character.meshes.map((mesh) => mesh.morphTargetInfluences?.[mesh.morphTargetDictionary?.jawOpen] ?? 0)));
    }
    report.jawSeen = shut !== (await tab.evaluate(() => bozzetto.picture()));
    await tab.screenshot({ path: join(folder, "face.png") });

    // A clip plays: bones move while nobody does anything.
    if (report.clips.includes("Walk")) {
      await tab.locator("#clips button", { hasText: "Walk" }).click();
      await tab.waitForTimeout(300);
      const before = await tab.evaluate(places);
      await tab.waitForFunction(
        (before) => bozzetto.character.joints.some((bone, index) => Math.abs(bone.matrixWorld.elements[14] - before[3 * index + 2]) > 0.05),
        before,
      );
      report.walks = true;
    }
    await tab.locator("#layers input:not(:disabled)").last().uncheck();
    report.hidden = await tab.evaluate(() => bozzetto.character.meshes.filter((mesh) => !mesh.visible).length);
    await tab.locator("#layers input:not(:disabled)").last().check();
    await tab.keyboard.press("k");
    await tab.keyboard.press("d");
    report.dark = await tab.evaluate(() => document.documentElement.dataset.theme);
    const saved = tab.waitForEvent("download");
    await tab.locator("#download").click();
    const path = await (await saved).path();
    report.downloaded = (await readFile(path)).subarray(0, 4).toString();

    await tab.setViewportSize({ width: 390, height: 844 });
    if (report.poses > 0) await tab.locator("#pose").selectOption("pose:sitting");
    await tab.locator("[data-view=quarter]").click();
    await tab.screenshot({ path: join(folder, "phone.png") });
  } finally {
    await browser.close();
  }

  const blind = await launch(["--disable-gpu", "--disable-3d-apis"], "blind");
  try {
    const tab = await blind.newPage();
    await tab.goto(pathToFileURL(file).href);
    await tab.locator("#message strong").waitFor();
    report.withoutWebgl = await tab.locator("#message").innerText();
    await tab.screenshot({ path: join(folder, "no-webgl.png") });
  } finally {
    await blind.close();
  }

  const rigged = report.clips.length > 1;
  const present = {
    "nothing fetched": report.fetched.length === 0,
    "a quiet console": report.complaints.length === 0,
    "a jaw that opens": !rigged || (report.jaw === 1 && report.jawSeen),
    "52 sliders, one less without a tongue": !rigged || report.sliders >= (report.tongue ? 52 : 51),
    "37 sliders of the pose": !rigged || report.bends === 37,
    "15 visemes": !rigged || report.visemes === 15,
    "a slider found by words": !rigged || report.found === 1,
    "an elbow that is seen to bend": !rigged || report.elbowSeen,
    "a pose that comes back": !rigged || report.reset,
    "a walk that moves": !rigged || report.walks,
    "a layer that hides": report.hidden === 1,
    "a dark theme by the key D": report.dark === "dark",
    "a GLB to download": report.downloaded === "glTF",
    "words where WebGL is missing": /no 3D/.test(report.withoutWebgl),
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
