#!/usr/bin/env node
// Takes the picture for the README: the page after a training, with a drawn seven.
//   node tests/browser/picture.js [--dist FOLDER] [--chromium PATH] [--to docs/browser.png]

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { launch, open } from "./harness/browser.js";
import { draw, run } from "./harness/page.js";
import { serve } from "./harness/server.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: options } = parseArgs({
  options: {
    dist: { type: "string", default: here("../../web/dist") },
    chromium: { type: "string" },
    to: { type: "string", default: here("../../docs/browser.png") },
  },
});
const seven = [[[0.28, 0.2], [0.72, 0.2], [0.62, 0.45], [0.5, 0.65], [0.42, 0.85]]];
const browser = await launch({ executable: options.chromium });
const server = await serve(resolve(options.dist));
try {
  const page = await open(browser, server.url, { settings: { viewport: { width: 1000, height: 1400 } } });
  await run(page, "#digits", "#digits-start", 300);
  await draw(page, seven);
  await page.waitForTimeout(500);
  // A clip is measured from the top of the page, a box from the top of the window.
  await page.evaluate(() => scrollTo(0, 0));
  const [top, end] = [await page.locator("#digits").boundingBox(), await page.locator("section:has(#draw)").boundingBox()];
  const clip = { x: top.x - 8, y: top.y - 8, width: top.width + 16, height: end.y + end.height + 16 - top.y };
  await page.screenshot({ path: options.to, clip, fullPage: true });
} finally {
  await browser.close();
  await server.close();
}
