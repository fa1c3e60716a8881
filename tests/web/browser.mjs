// One page in headless Chromium, served from this folder: what it found, what the console said, and a picture of it.
import { createServer } from "node:http";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = fileURLToPath(new URL(".", import.meta.url));
const packages = {
  "/three/": join(here, "node_modules", "three"),
  "/vrm/": join(here, "node_modules", "@pixiv", "three-vrm"),
  "/vrm-animation/": join(here, "node_modules", "@pixiv", "three-vrm-animation"),
  "/model-viewer/": join(here, "node_modules", "@google", "model-viewer"),
};
const types = { ".js": "text/javascript", ".html": "text/html; charset=utf-8" };

// Opens `page` with `file` as /avatar and what `others` names, waits for window.found, takes a picture to `out`. Data URLs
// that are found as `files`, by name, are written beside it.
// `judge` gets the report and returns, by name, what a good file has; the process ends with 1 where something is missing.
export async function look(page, file, out, size, judge, others = {}) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    const prefix = Object.keys(packages).find((name) => path.startsWith(name));
    const named = { "/": join(here, page), "/avatar": file, ...others }[path];
    const source = named ?? (prefix && join(packages[prefix], path.slice(prefix.length)));
    try {
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
      viewport: size,
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
      const tab = await browser.newPage();
      const complaints = [];
      const failed = new Promise((_, reject) => tab.on("pageerror", reject));
      failed.catch(() => {}); // an error after the page is done is no news
      tab.on("console", (message) => {
        const slow = /GPU stall|GL Driver Message|rAF timed out/.test(message.text());
        if (["error", "warning"].includes(message.type()) && !slow) complaints.push(message.text());
      });
      await tab.goto(`http://127.0.0.1:${server.address().port}/`, { waitUntil: "commit" });
      const done = tab.waitForFunction(() => window.found, undefined, { timeout: 300_000 });
      done.catch(() => {}); // the page's own error, if there is one, says more
      const found = await Promise.race([done, failed]);
      const { files = {}, ...rest } = await found.jsonValue();
      const report = { ...rest, complaints };
      for (const [name, data] of Object.entries(files))
        await writeFile(join(dirname(out), name), Buffer.from(data.split(",")[1], "base64"));
      await tab.screenshot({ path: out, timeout: 300_000 });
      const present = { ...judge(report), "a quiet console": complaints.length === 0 };
      const missing = Object.keys(present).filter((name) => !present[name]);
      console.log(JSON.stringify({ ...report, missing }));
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
}

export function filesNamed(program) {
  const [file, out] = process.argv.slice(2);
  if (!file || !out) {
    console.error(`usage: node ${program} FILE OUT.png`);
    process.exit(2);
  }
  return [file, out];
}
