#!/usr/bin/env node
// Whether the checks notice mistakes: makes each of these in a copy of the built page, and requires that a check fails.
//   node tests/browser/mutants.js [--dist FOLDER] [--only TEXT]

import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

// A mistake: the file, the text that becomes wrong, what it becomes, and which checks are to notice it. In the module of
// WebAssembly a text keeps its length.
const MUTANTS = [
  ["a complaint in the console", "main.js", "startDevice();", "startDevice(); console.error('x');", "without an error"],
  ["a file that is not there", "index.html", 'src="main.js"', 'src="main.js"></script><script src="none.js"', "without an error"],
  ["a file of another server", "main.js", "startDevice();", "startDevice(); fetch('http://127.0.0.1:9/').catch(() => {});", "without an error"],
  ["a part that is missing", "index.html", 'id="draw-bars"', 'id="draw-bars" data-x=""><li id="speed-tfjs"', "every part once"],
  ["no word of WebGPU", "lab.js", "This browser offers no WebGPU, so", "Hello", "no WebGPU at all"],
  ["no word of the adapter", "lab.js", "No GPU could be opened, so the page", "This page", "no adapter"],
  ["a slow first step", "worker.js", "train: (tell, task, options, goOn) =>", "train: async (tell, task, options, goOn) => await new Promise((r) => setTimeout(r, 3000)) ??", "first step"],
  ["a network that hardly learns", "digits.js", "const fixed = {", "const fixed = { ...{}, ", "digits reach", ["rate, batch, epochs };", "rate: rate / 1e4, batch, epochs };"]],
  ["a drawing on its side", "strokes.js", "pixels[BITMAP * row + column]", "pixels[BITMAP * column + row]", "drawn 7"],
  ["a drawing that stays", "draw.js", "  strokes = [];\n  drawing.clear();", "  drawing.clear();", "cleared drawing"],
  ["a training that does not stop", "worker.js", "stop: (_, task) => session.stop(task)", "stop: () => {}", "a training stops"],
  ["a training that begins anew", "digits.js", "train({}, true)", "train({}, false)", "a training stops"],
  ["a curve that is not drawn", "digits.js", "drawCurves(canvas(\"digits-curves\"), history);", ";", "are drawn"],
  ["an error that is not told", "lab.js", "if (name !== \"Broken\") say(sentence(error), \"bad\");", "", "what is wrong in the field"],
  ["another weight in a model", "model.js", "new Uint8Array(buffer)]", "new Uint8Array(buffer).fill(60, 1500, 1501)]", "PyTorch"],
  ["a model that is not checked", "model.js", "status(`${file.name} was not loaded. ${sentence(error)}`);", "status(String(undefined));", "no such model"],
  ["a model with another bit", "model.js", "return bytes.buffer;", "bytes[bytes.length - 4] ^= 1; return bytes.buffer;", "same bits"],
  ["a loss that is not heard of", "worker.js", "post({ lost:", "({ lost:", "nothing runs", ["if (name === \"DeviceLost\")", "if (false)", "lab.js"]],
  ["a loss after which nothing is opened", "lab.js", "await this.#openOrFallBack(\"gpu\");", "await new Promise(() => {});", "lost in a training"],
  ["a leak of the module's memory", "worker.js", "train: (tell, task, options, goOn) =>", "train: (tell, task, options, goOn) => memory.grow(1) &&", "100 trainings"],
  ["a leak of buffers", "worker.js", "train: (tell, task, options, goOn) =>", "train: (tell, task, options, goOn) => device.createBuffer({ size: 4096, usage: 128 }) &&", "100 trainings"],
  ["a page that is too wide", "style.css", "body {", "main { min-width: 420px; }\nbody {", "360 px"],
  ["no dark colours", "style.css", "prefers-color-scheme: dark", "prefers-color-scheme: none", "dark window"],
  ["a result that is wrong", "inputs.js", "sum += first[row * size + k] * second[k * size + column];", "sum += first[row * size + k] + 1;", "speed of three jobs"],
  ["a report with fewer cases", "parity.js", "json && download(json,", "json && download(json.replace(/\"cases\": ?\\d+/, '\"cases\": 1'),", "parity"],
  ["a kernel that is wrong", "wgpu_mlp_page_bg.wasm", "most = max(max(most,", "most = min(max(most,", "parity report"],
];

const { values: options } = parseArgs({
  options: {
    dist: { type: "string", default: fileURLToPath(new URL("../../web/dist", import.meta.url)) },
    only: { type: "string", default: "" },
  },
});
const runner = fileURLToPath(new URL("run.js", import.meta.url));
let [noticed, survived] = [0, 0];
for (const [name, file, from, to, checks, also] of MUTANTS.filter(([name]) => name.includes(options.only))) {
  const copy = await mkdtemp(join(tmpdir(), "wgpu-mlp-page-"));
  try {
    await cp(options.dist, copy, { recursive: true });
    await change(join(copy, file), from, to);
    if (also) await change(join(copy, also[2] ?? file), also[0], also[1]);
    const failed = await new Promise((resolve) => {
      execFile(process.execPath, [runner, "--dist", copy, "--only", checks], (error, output) => {
        resolve(/^FAILED/m.test(output) ? output : "");
      });
    });
    if (failed) noticed += 1;
    else survived += 1;
    const how = failed.match(/^FAILED.*\n\s*(.*)/m)?.[1] ?? "no check failed";
    console.log(`${failed ? "noticed " : "SURVIVED"}  ${name}: ${how}`);
  } finally {
    await rm(copy, { recursive: true });
  }
}
console.log(`\n${noticed} noticed, ${survived} survived`);
process.exit(Math.min(survived, 100));

async function change(path, from, to) {
  const text = await readFile(path, "latin1");
  const [wanted, other] = [from, to].map((part) => Buffer.from(part, "utf8").toString("latin1"));
  if (!text.includes(wanted)) throw new Error(`${path} has no ${from}`);
  await writeFile(path, text.replace(wanted, () => other), "latin1");
}
