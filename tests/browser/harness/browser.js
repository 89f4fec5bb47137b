// Chromium, and pages in it that are watched for errors.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { PATIENCE } from "./patience.js";

// Nothing is sent from this machine, and the browser's own downloads are switched off.
const ALWAYS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // A page that measures its memory gets the answer at once, and not after the next garbage collection.
  "--enable-blink-features=ForceEagerMeasureMemory",
];
const NAMES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/**
 * Starts Chromium in a new and empty folder. The adapter of WebGPU is SwiftShader, Chromium's software driver, or
 * `default`, the adapter that Chromium chooses; with `webgpu: false` there is none.
 */
export async function launch({ executable, webgpu = true, adapter = "swiftshader" } = {}) {
  const executablePath = executable ?? NAMES.find((name) => existsSync(name));
  if (!executablePath) throw new Error("no Chromium: apt-get install chromium, or --chromium PATH");
  const args = [...ALWAYS];
  if (webgpu) args.push("--enable-unsafe-webgpu");
  if (webgpu && adapter !== "default") args.push(`--use-webgpu-adapter=${adapter}`);
  return chromium.launch({ executablePath, args });
}

/** Opens the page and waits until it says that it is ready. The messages of its console are kept in `page.faults`. */
export async function open(browser, url, { seconds = 60, settings = {}, hideWebGpu = false } = {}) {
  const context = await browser.newContext({ acceptDownloads: true, ...settings });
  const page = await context.newPage();
  page.faults = [];
  page.requests = [];
  page.on("console", (message) => {
    // Files that are not found are reported below, with their address.
    const told = /^Failed to load resource/.test(message.text());
    if (message.type() === "error" && !told) page.faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => page.faults.push(`uncaught: ${error.stack ?? error}`));
  page.on("crash", () => page.faults.push("the page crashed"));
  page.on("request", (request) => page.requests.push(request.url()));
  page.on("response", (response) => {
    if (response.status() >= 400) page.faults.push(`not found: ${response.url()}`);
  });
  page.on("requestfailed", (request) => page.faults.push(`not loaded: ${request.url()}`));
  if (hideWebGpu) await page.addInitScript("delete Navigator.prototype.gpu;");
  await page.goto(url, { timeout: seconds * 1000 * PATIENCE });
  await page.waitForSelector("body[data-ready=true], body[data-ready=failed]", { timeout: seconds * 1000 * PATIENCE });
  return page;
}
