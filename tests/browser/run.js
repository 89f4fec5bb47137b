#!/usr/bin/env node
// Tests of the page in a headless Chromium, with WebGPU on SwiftShader, its software driver:
//   node tests/browser/run.js [--dist FOLDER] [--only TEXT] [--screenshots FOLDER] [--chromium PATH]
//
//   --dist FOLDER         the built page, instead of web/dist; web/build makes it
//   --only TEXT           only checks whose list and name have this text
//   --screenshots FOLDER  pictures of the page, wide and narrow, light and dark
//   --chromium PATH       the browser, instead of Debian's
//
// Prints a line for each check, and exits with the number of checks that failed.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { access } from "./checks/access.js";
import { cold, failing, onGpu, size, slow, withoutAdapter } from "./checks/loading.js";
import { layout } from "./checks/layout.js";
import { lost } from "./checks/lost.js";
import { memory } from "./checks/memory.js";
import { models } from "./checks/models.js";
import { parity } from "./checks/parity.js";
import { speed } from "./checks/speed.js";
import { badInput, digits } from "./checks/training.js";
import { COUNTED } from "./harness/accounting.js";
import { launch, open } from "./harness/browser.js";
import { Runner } from "./harness/runner.js";
import { serve } from "./harness/server.js";

const { values: options } = parseArgs({
  options: {
    dist: { type: "string", default: fileURLToPath(new URL("../../web/dist", import.meta.url)) },
    only: { type: "string", default: "" },
    screenshots: { type: "string" },
    chromium: { type: "string" },
  },
});
const dist = resolve(options.dist);
if (!existsSync(dist)) {
  console.error(`${dist} is not there: web/build makes the page`);
  process.exit(1);
}

const browsers = new Map();

// A browser that has crashed is started again.
async function browserWith(webgpu) {
  if (!browsers.get(webgpu)?.isConnected()) {
    browsers.set(webgpu, await launch({ executable: options.chromium, webgpu }));
  }
  return browsers.get(webgpu);
}

/** Opens a page from its own server. With `ownBrowser` the browser is a new one that has run nothing before. */
async function openPage({ webgpu = true, ownBrowser = false, beforeWorkers = "", isolated = false, ...rest }) {
  const browser = ownBrowser ? await launch({ executable: options.chromium, webgpu }) : await browserWith(webgpu);
  const server = await serve(dist, { beforeWorkers, isolated });
  const shut = async (page) => {
    await page?.context().close();
    await server.close();
    if (ownBrowser) await browser.close();
  };
  try {
    const page = await open(browser, server.url, rest);
    page.shut = () => shut(page);
    return page;
  } catch (error) {
    await shut();
    throw error;
  }
}

const runner = new Runner({ only: options.only, options, openPage });
console.log(`Chromium ${(await browserWith(true)).version()}`);
await runner.list("cold", cold, { ownBrowser: true });
await runner.list("loading", [...onGpu, slow, size]);
await runner.list("without a GPU", withoutAdapter, { webgpu: false });
await runner.list("a GPU that fails", failing);
await runner.list("training", digits);
await runner.list("bad input", badInput);
await runner.list("models", models);
await runner.list("lost device", lost, { beforeWorkers: COUNTED });
await runner.list("memory", memory, { beforeWorkers: COUNTED, isolated: true });
await runner.list("layout", layout);
await runner.list("access", access);
await runner.list("speed", speed);
// axe-core is loaded from the tests, not from the page's server.
await runner.list("parity", parity, { settings: { bypassCSP: true } });
const failed = runner.finish();
for (const browser of browsers.values()) await browser.close();
process.exit(Math.min(failed, 100));
