// Khronos validator: node validate.mjs FILE…   One line a file; exit status 1 on any error or warning.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import validator from "gltf-validator";

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: node validate.mjs FILE…");
  process.exit(2);
}
let bad = false;
for (const file of files) {
  const bytes = new Uint8Array(await readFile(file));
  const { issues } = await validator.validateBytes(bytes, { uri: basename(file), maxIssues: 1000 });
  const { numErrors, numWarnings, numInfos } = issues;
  console.log(`${basename(file)}: ${numErrors} errors, ${numWarnings} warnings, ${numInfos} infos`);
  for (const issue of issues.messages.filter((message) => message.severity < 2).slice(0, 20)) {
    console.error(`  ${issue.code} ${issue.pointer ?? ""}: ${issue.message}`);
  }
  bad ||= numErrors + numWarnings > 0;
}
process.exit(bad ? 1 : 0);
