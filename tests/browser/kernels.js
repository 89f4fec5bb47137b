#!/usr/bin/env node
// Do browsers take the kernels? Compiles each file of WGSL in a folder by WebGPU in a headless Chromium, on SwiftShader:
//   node tests/browser/kernels.js FOLDER [--chromium PATH]
//
// The unit tests write the kernels that every kind of device chooses, among them those of GPUs, which the page's own report does not run on
// a software driver: WGPU_MLP_TRANSLATED=FOLDER cargo test --lib gpu::translated. Chromium's compiler, Tint, refuses a barrier that it
// cannot prove to be in uniform control flow, which wgpu's own does not look for.
//
// Left out is what WebGPU does not have (64-bit words, matrix units), and what takes more threads than the adapter has. Exits with 1
// where a kernel is refused.

import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { launch } from "./harness/browser.js";

const { values: options, positionals } = parseArgs({ options: { chromium: { type: "string" } }, allowPositionals: true });
const [folder] = positionals;
const files = readdirSync(folder).filter((name) => name.endsWith(".wgsl"));

const NOT_OF_WEBGPU = /u64|wgpu_cooperative_matrix|enable f16/;
const SUBGROUPS = /subgroup[A-Z]|subgroup_size/;

/** Opens the device, in the page. */
async function openDevice() {
  const adapter = await navigator.gpu.requestAdapter();
  const names = ["maxComputeWorkgroupStorageSize", "maxComputeInvocationsPerWorkgroup", "maxComputeWorkgroupSizeX"];
  const requiredFeatures = adapter.features.has("subgroups") ? ["subgroups"] : [];
  const requiredLimits = Object.fromEntries(names.map((name) => [name, adapter.limits[name]]));
  globalThis.device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  return { subgroups: requiredFeatures.length > 0, threads: adapter.limits.maxComputeInvocationsPerWorkgroup };
}

/** Compiles a kernel, in the page; what is wrong with it, or nothing. */
async function compile(code) {
  const { device } = globalThis;
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const messages = (await module.getCompilationInfo()).messages.filter((message) => message.type === "error");
  let wrong = messages.map((message) => `${message.lineNum}: ${message.message}`).join("\n");
  if (!wrong) {
    const pipeline = device.createComputePipelineAsync({ layout: "auto", compute: { module } });
    await pipeline.catch((error) => (wrong = error.message));
  }
  const scoped = await device.popErrorScope();
  return wrong || (scoped?.message ?? "");
}

/** The threads of a kernel's workgroup, whose size is a constant or a product of two. */
function threads(code) {
  const size = code.match(/@workgroup_size\(([^)]*)\)/)[1];
  const value = (name) => Number(code.match(new RegExp(`const ${name}: u32 = (\\d+)u`))?.[1] ?? Number.NaN);
  return size.split(",").reduce((product, name) => product * (Number(name) || value(name.trim())), 1);
}

const server = createServer((_, response) => response.end("<!doctype html>")).listen(0);
const browser = await launch({ executable: options.chromium });
const counts = { taken: 0, refused: 0, "left out": 0 };
try {
  const page = await browser.newPage();
  await page.goto(`http://localhost:${server.address().port}/`);
  const adapter = await page.evaluate(openDevice);
  for (const name of files) {
    const code = readFileSync(`${folder}/${name}`, "utf8");
    const subgroups = SUBGROUPS.test(code);
    if (NOT_OF_WEBGPU.test(code) || threads(code) > adapter.threads || (subgroups && !adapter.subgroups)) {
      counts["left out"]++;
      continue;
    }
    const wrong = await page.evaluate(compile, subgroups ? `enable subgroups;\n${code}` : code);
    counts[wrong ? "refused" : "taken"]++;
    if (wrong) console.log(`${name}: ${wrong}`);
  }
} finally {
  await browser.close();
  server.close();
}
console.log(Object.entries(counts).map(([what, count]) => `${count} ${what}`).join(", "));
process.exit(counts.refused > 0 || counts.taken < 300 ? 1 : 0);
