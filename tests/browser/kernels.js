#!/usr/bin/env node
// Checks that browsers accept the kernels: compiles each WGSL file of a folder with WebGPU in a headless Chromium, on SwiftShader:
//   node tests/browser/kernels.js FOLDER [--chromium PATH]
//
// The unit tests write the kernels that every kind of device chooses, including those for GPUs, which the page's own report does not run on
// a software driver: WGPU_MLP_TRANSLATED=FOLDER cargo test --lib gpu::translated. Chromium's compiler, Tint, refuses a barrier that it
// cannot prove to be in uniform control flow, which wgpu's own compiler does not check.
//
// Kernels that need what WebGPU does not have (64-bit words, matrix units), or more threads than the adapter has, are left out. Kernels with
// subgroup operations, which wgpu does not offer in browsers yet, are checked, but no pipeline is made of them. Exits with 1 if a
// kernel is refused, or makes the browser lose its device twice.

import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { launch } from "./harness/browser.js";
import { serveText } from "./harness/server.js";

const { values: options, positionals } = parseArgs({ options: { chromium: { type: "string" } }, allowPositionals: true });
const [folder] = positionals;
const files = readdirSync(folder).filter((name) => name.endsWith(".wgsl"));

const NOT_OF_WEBGPU = /u64|wgpu_cooperative_matrix|enable f16/;
const SUBGROUPS = /subgroup[A-Z]|subgroup_size/;
/** A kernel that takes longer is assumed to hang: the slowest one takes seconds, on a busy machine. */
const SECONDS = 120;

/** Opens the device, in the page. */
async function openDevice() {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("the browser has no adapter");
  const names = ["maxComputeWorkgroupStorageSize", "maxComputeInvocationsPerWorkgroup", "maxComputeWorkgroupSizeX"];
  const requiredFeatures = adapter.features.has("subgroups") ? ["subgroups"] : [];
  const requiredLimits = Object.fromEntries(names.map((name) => [name, adapter.limits[name]]));
  globalThis.device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  globalThis.lost = "";
  device.lost.then(({ reason, message }) => (globalThis.lost = `the device is lost (${reason}): ${message}`));
  return { subgroups: requiredFeatures.length > 0, threads: adapter.limits.maxComputeInvocationsPerWorkgroup };
}

/** Compiles a kernel, in the page. Returns what is wrong with it, and whether the device is lost. */
async function compile({ code, isRun }) {
  const { device } = globalThis;
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const messages = (await module.getCompilationInfo()).messages.filter((message) => message.type === "error");
  let wrong = messages.map((message) => `${message.lineNum}: ${message.message}`).join("\n");
  if (!wrong && isRun) {
    const pipeline = device.createComputePipelineAsync({ layout: "auto", compute: { module } });
    await pipeline.catch((error) => (wrong = `${error.reason}: ${error.message}`));
  }
  const scoped = await device.popErrorScope().catch((error) => {
    globalThis.lost ||= error.message; // only a lost device has no error scope to end
  });
  return { wrong: wrong || (scoped?.message ?? ""), lost: globalThis.lost };
}

/** The threads of a kernel's workgroup, whose size is a constant or a product of two. */
function threads(code) {
  const size = code.match(/@workgroup_size\(([^)]*)\)/)[1];
  const value = (name) => Number(code.match(new RegExp(`const ${name}: u32 = (\\d+)u`))?.[1] ?? Number.NaN);
  return size.split(",").reduce((product, name) => product * (Number(name) || value(name.trim())), 1);
}

/** A page in its own browser, with a device. Both are started again when they are lost. */
class Compiler {
  async open() {
    this.browser = await launch({ executable: options.chromium });
    this.page = await this.browser.newPage();
    await this.page.goto(server.url);
    return this.page.evaluate(openDevice);
  }

  async close() {
    await this.browser?.close().catch(() => {});
  }

  /** Returns what is wrong with a kernel, or nothing. A kernel that loses the device is tried again on another device. */
  async compile(name, kernel) {
    for (let trial = 1; ; trial += 1) {
      const answer = await this.#once(kernel);
      if (!answer.lost) return answer.wrong;
      console.log(`${name}: ${answer.lost}`);
      await this.close();
      await this.open();
      if (trial === 2) return answer.lost;
    }
  }

  async #once(kernel) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(() => resolve({ lost: `nothing came of it within ${SECONDS} s` }), 1000 * SECONDS);
    });
    const compiled = this.page.evaluate(compile, kernel).catch((error) => ({ lost: error.message }));
    return Promise.race([compiled, late]).finally(() => clearTimeout(timer));
  }
}

const server = await serveText("<!doctype html>");
const compiler = new Compiler();
const counts = { taken: 0, refused: 0, "left out": 0 };
try {
  const adapter = await compiler.open();
  for (const name of files) {
    const code = readFileSync(`${folder}/${name}`, "utf8");
    const subgroups = SUBGROUPS.test(code);
    if (NOT_OF_WEBGPU.test(code) || threads(code) > adapter.threads || (subgroups && !adapter.subgroups)) {
      counts["left out"]++;
      continue;
    }
    const enabled = subgroups ? `enable subgroups;\n${code}` : code;
    const wrong = await compiler.compile(name, { code: enabled, isRun: !subgroups });
    counts[wrong ? "refused" : "taken"]++;
    if (wrong) console.log(`${name}: ${wrong}`);
  }
} finally {
  await compiler.close();
  await server.close();
}
console.log(Object.entries(counts).map(([what, count]) => `${count} ${what}`).join(", "));
process.exit(counts.refused > 0 || counts.taken < 300 ? 1 : 0);
