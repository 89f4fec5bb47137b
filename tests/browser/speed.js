#!/usr/bin/env node
// Runs the page's measurements and prints them as a table in Markdown:
//   node tests/browser/speed.js [--dist FOLDER] [--chromium PATH] [--adapter swiftshader|default] [--minutes 20] [--longest MS]
//
// If one run of a job would take longer than --longest milliseconds (2,500), a smaller size is measured, and the table says so.
// TensorFlow.js is measured beside the crate if `npm install` in web/ has installed it before web/build. With `--adapter
// default` the browser takes the machine's GPU, if it has one that Chromium allows WebGPU to use.

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { launch, open } from "./harness/browser.js";
import { state } from "./harness/page.js";
import { serve } from "./harness/server.js";

const { values: options } = parseArgs({
  options: {
    dist: { type: "string", default: fileURLToPath(new URL("../../web/dist", import.meta.url)) },
    chromium: { type: "string" },
    adapter: { type: "string", default: "swiftshader" },
    minutes: { type: "string", default: "20" },
    longest: { type: "string", default: "2500" },
  },
});
const browser = await launch({ executable: options.chromium, adapter: options.adapter });
const server = await serve(resolve(options.dist));
let code = 0;
try {
  const page = await open(browser, `${server.url}?longest=${Number(options.longest)}`);
  await page.click("#speed-start");
  await state(page, "#speed", ["done"], 60 * Number(options.minutes));
  const tfjs = (await page.textContent("#speed-tfjs")).trim();
  const device = (await page.textContent("#device-name")).trim();
  const kind = (await page.textContent("#device-kind")).trim();
  const today = new Date().toISOString().slice(0, 10);
  console.log(`Chromium ${browser.version()}, ${device} (${kind}), ${today}. ${tfjs}\n`);
  console.log(await table(page));
  if (page.faults.length) throw new Error(page.faults.join("; "));
} catch (error) {
  console.error(error.message);
  code = 1;
} finally {
  await browser.close();
  await server.close();
}
process.exit(code);

async function table(page) {
  const rows = await page.$$eval("#speed-table tr", (all) =>
    all.map((row) => [...row.cells].map((cell) => cell.textContent.trim().replaceAll("|", "\\|"))),
  );
  if (rows.length < 2) throw new Error("the table is empty");
  const [head, ...others] = rows.map((row) => `| ${row.join(" | ")} |`);
  const line = `|${rows[0].map((_, column) => (column ? "---:" : "---")).join("|")}|`;
  return [head, line, ...others].join("\n");
}
