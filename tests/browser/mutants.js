#!/usr/bin/env node
// Tests whether the checks notice mistakes: makes each of these mistakes in a copy of the built page, and requires that a check fails.
//   node tests/browser/mutants.js [--dist FOLDER] [--only TEXT]

import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

// Each entry has a mistake, the checks that should notice it, and the change: the file, the right text, and the wrong text that
// replaces it. In the WebAssembly module both texts have the same length.
const MUTANTS = [
  {
    name: "a complaint in the console",
    checks: "without an error",
    changes: [
      ["main.js", "startDevice();", "startDevice(); console.error('x');"],
    ],
  },
  {
    name: "a file that is not there",
    checks: "without an error",
    changes: [
      ["index.html", 'src="main.js"', 'src="main.js"></script><script src="none.js"'],
    ],
  },
  {
    name: "a file of another server",
    checks: "without an error",
    changes: [
      ["main.js", "startDevice();", "startDevice(); fetch('http://127.0.0.1:9/').catch(() => {});"],
    ],
  },
  {
    name: "a part that is missing",
    checks: "every part once",
    changes: [
      ["index.html", 'id="draw-bars"', 'id="draw-bars" data-x=""><li id="speed-tfjs"'],
    ],
  },
  {
    name: "no word of WebGPU",
    checks: "no WebGPU at all",
    changes: [
      ["lab.js", "This browser offers no WebGPU, so", "Hello"],
    ],
  },
  {
    name: "no word of the adapter",
    checks: "no adapter",
    changes: [
      [
        "lab.js",
        "say(`No GPU could be opened, so the page computes on the CPU path. ${sentence(error)} ${ADVICE}`",
        "say(`The page computes on the CPU path.`",
      ],
    ],
  },
  {
    name: "a training on the device that was",
    checks: "while the device changes",
    changes: [["digits.js", "  await lab.settled();\n", ""]],
  },
  {
    name: "a verification that goes on",
    checks: "ends a verification",
    changes: [["worker.js", "stopVerifying: () => session.stopVerifying()", "stopVerifying: () => {}"]],
  },
  {
    name: "a measurement that goes on",
    checks: "ends a verification",
    changes: [["speed.js", "if (halted) throw", "if (false) throw"]],
  },
  {
    name: "no word of the GPU that was asked for",
    checks: "asked for a GPU",
    changes: [["lab.js", "        await lab.report(error);\n        showDevice();", "        showDevice();"]],
  },
  {
    name: "a slow first step",
    checks: "first step",
    changes: [
      [
        "worker.js",
        "train: (tell, task, options, goOn) =>",
        "train: async (tell, task, options, goOn) => await new Promise((r) => setTimeout(r, 20_000)) ??",
      ],
    ],
  },
  {
    name: "a network that hardly learns",
    checks: "digits reach",
    changes: [
      ["digits.js", "rate, batch, epochs };", "rate: rate / 1e4, batch, epochs };"],
    ],
  },
  {
    name: "a drawing on its side",
    checks: "drawn 7",
    changes: [
      ["strokes.js", "pixels[BITMAP * row + column]", "pixels[BITMAP * column + row]"],
    ],
  },
  {
    name: "a drawing that stays",
    checks: "cleared drawing",
    changes: [
      ["draw.js", "  strokes = [];\n  drawing.clear();", "  drawing.clear();"],
    ],
  },
  {
    name: "a training that does not stop",
    checks: "a training stops",
    changes: [
      ["worker.js", "stop: (_, task) => session.stop(task)", "stop: () => {}"],
    ],
  },
  {
    name: "a training that begins anew",
    checks: "a training stops",
    changes: [
      ["digits.js", "train({}, true)", "train({}, false)"],
    ],
  },
  {
    name: "a curve that is not drawn",
    checks: "are drawn",
    changes: [
      ["charts.js", "export function drawCurves(canvas, history) {", "export function drawCurves() {\n  return;"],
    ],
  },
  {
    name: "an error that is not told",
    checks: "what is wrong in the field",
    changes: [
      ["lab.js", 'if (name !== "Broken") say(`${sentence(error)}${advice}`, "bad");', ""],
    ],
  },
  {
    name: "a refusal that takes the curves away",
    checks: "readers of screens",
    changes: [["digits.js", "  let fresh = !goOn;\n", "  let fresh = !goOn;\n  forget();\n"]],
  },
  {
    name: "a field without a name",
    checks: "axe-core",
    changes: [["index.html", '<label>Batch <input id="digits-batch"', '<label>Batch</label> <label><input id="digits-batch"']],
  },
  {
    name: "a colour that is hard to read",
    checks: "axe-core",
    changes: [["style.css", "--soft: #55606b;", "--soft: #b5c0cb;"]],
  },
  {
    name: "no sign of the focus",
    checks: "the Tab key",
    changes: [["style.css", ":focus-visible { outline: 3px solid var(--accent);", ":focus-visible { outline: none;"]],
  },
  {
    name: "a focus that is lost",
    checks: "by keyboard alone",
    changes: [["page.js", "  byId(next).focus({ preventScroll: true });", "  /** @type {HTMLElement} */ (document.activeElement).blur();"]],
  },
  {
    name: "a page that computes itself",
    checks: "own thread",
    changes: [["digits.js", "  history.push(epoch);\n", "  history.push(epoch);\n  for (const end = performance.now() + 2000; performance.now() < end; );\n"]],
  },
  {
    name: "a verification that cannot be stopped",
    checks: "stop when they are told",
    changes: [["parity.js", 'byId("parity-stop").addEventListener("click", stop);', ""]],
  },
  {
    name: "a finger that does not draw",
    checks: "by finger",
    changes: [["draw.js", "if (event.button !== 0) return;", 'if (event.button !== 0 || event.pointerType === "touch") return;']],
  },
  {
    name: "regions that are drawn at the end alone",
    checks: "the spiral is learned",
    changes: [["spiral.js", "  show(\"spiral-accuracy\", accuracy, percent(accuracy));\n  void look();", "  show(\"spiral-accuracy\", accuracy, percent(accuracy));"]],
  },
  {
    name: "a network that a broken module takes along",
    checks: "a module that breaks",
    changes: [["lab.js", 'if (this.lastModel) await this.client.call("loadModel", [this.lastModel]);', ""]],
  },
  {
    name: "a GPU that is waited for without an end",
    checks: "never answers",
    changes: [["lab.js", "this.#opensGpu ? setTimeout(late, LONGEST_OPENING) : 0", "0"]],
  },
  {
    name: "a GPU that is opened again where the module breaks over it",
    checks: "breaks over the GPU",
    changes: [["lab.js", "const [overGpu, silent] = [this.#opensGpu, this.#silent];", "const [overGpu, silent] = [false, this.#silent];"]],
  },
  {
    name: "a change of the device that waits for what waits for it",
    checks: "never answers",
    changes: [
      ["lab.js", "    const loaded = this.#load();\n    loaded.catch(() => {});\n", ""],
      ["lab.js", "      await loaded;\n", "      await this.#load();\n"],
      ["lab.js", "this.#restore(message, loaded, overGpu, silent)", "this.#restore(message, Promise.resolve(), overGpu, silent)"],
    ],
  },
  {
    name: "an end that is not told",
    checks: "no new module",
    changes: [["client.js", "return this.onEnded(why);", "return;"]],
  },
  {
    name: "a TensorFlow.js that takes the crate's figures along",
    checks: "TensorFlow.js breaks",
    changes: [["speed.js", "if (halted || !(error instanceof PeerFailed)) throw error;", "throw error;"]],
  },
  {
    name: "a leak of objects",
    checks: "100 trainings",
    changes: [["digits.js", "  history.push(epoch);\n", "  history.push(epoch);\n  (globalThis.kept ??= []).push(Array.from({ length: 1000 }, () => ({ epoch })));\n"]],
  },
  {
    name: "another weight in a model",
    checks: "PyTorch",
    changes: [
      [
        "model.js",
        "new Uint8Array(buffer)]",
        "new Uint8Array(buffer).map((byte, at) => (at === buffer.byteLength - 1 ? byte ^ 1 : byte))]",
      ],
    ],
  },
  {
    name: "a model that is not checked",
    checks: "no such model",
    changes: [
      ["model.js", "status(`${file.name} was not loaded. ${sentence(error)}`);", "status(String(undefined));"],
    ],
  },
  {
    name: "a model with another bit",
    checks: "same bits",
    changes: [
      ["model.js", "return bytes.buffer;", "bytes[bytes.length - 4] ^= 1; return bytes.buffer;"],
    ],
  },
  {
    name: "a loss that is not heard of",
    checks: "nothing runs",
    changes: [
      ["worker.js", "post({ lost:", "({ lost:"],
      ["lab.js", 'if (name === "DeviceLost")', 'if (name === "DeviceLost") return;\n    if (false)'],
    ],
  },
  {
    name: "a loss after which no GPU is opened",
    checks: "lost in a training",
    changes: [
      [
        "worker.js",
        "async open(_, kind) {",
        "async open(_, kind) {\n    if (kind === 'gpu' && (self.opened = (self.opened ?? 0) + 1) > 1) throw new Error('no');",
      ],
    ],
  },
  {
    name: "a leak of the module's memory",
    checks: "100 trainings",
    changes: [
      [
        "worker.js",
        "train: (tell, task, options, goOn) =>",
        "train: (tell, task, options, goOn) => memory.grow(1) &&",
      ],
    ],
  },
  {
    name: "a leak of buffers",
    checks: "100 trainings",
    changes: [
      [
        "worker.js",
        "train: (tell, task, options, goOn) =>",
        "train: (tell, task, options, goOn) => device.createBuffer({ size: 4096, usage: 128 }) &&",
      ],
    ],
  },
  {
    name: "a page that is too wide",
    checks: "360 px",
    changes: [
      ["style.css", "body {", "main { min-width: 420px; }\nbody {"],
    ],
  },
  {
    name: "no dark colours",
    checks: "dark window",
    changes: [
      ["style.css", "prefers-color-scheme: dark", "prefers-color-scheme: none"],
    ],
  },
  {
    name: "a result that is wrong",
    checks: "speed of three jobs",
    changes: [
      ["inputs.js", "sum += first[row * size + k] * second[k * size + column];", "sum += first[row * size + k] + 1;"],
    ],
  },
  {
    name: "a report with fewer cases",
    checks: "parity",
    changes: [
      ["parity.js", "json && download(json,", "json && download(json.replace(/\"cases\": ?\\d+/, '\"cases\": 1'),"],
    ],
  },
  {
    name: "a module that loads in silence",
    checks: "while the module loads",
    changes: [["lab.js", 'say("The module and the digits are being loaded.");', ""]],
  },
  {
    name: "no word of WebAssembly",
    checks: "no WebAssembly",
    changes: [["worker.js", 'if (typeof WebAssembly === "undefined") throw new Error(', 'if (false) throw new Error(']],
  },
  {
    name: "a GPU that is opened again without an end",
    checks: "lost soon after",
    changes: [["lab.js", "this.#losses.length >= MOST_LOSSES", "false"]],
  },
  {
    name: "a prediction that is read aloud again and again",
    checks: "read aloud again",
    changes: [["page.js", "if (output.textContent !== text) output.textContent = text;", "output.textContent = text;"]],
  },
  {
    name: "a control behind the message",
    checks: "covers no control",
    changes: [["page.js", "document.documentElement.style.scrollPaddingTop", "document.documentElement.style.scrollPaddingBottom"]],
  },
  {
    name: "a message that stays over the page",
    checks: "400 %",
    changes: [["style.css", '#message[data-long="true"] { position: static; }', ""]],
  },
  {
    name: "words that do not break",
    checks: "long words",
    changes: [["style.css", "  overflow-wrap: break-word;\n", ""]],
  },
  {
    name: "a drawing on black paper",
    checks: "forced colours",
    changes: [["style.css", "  #draw { forced-color-adjust: none; }\n", ""]],
  },
  {
    name: "a page that a file takes the place of",
    checks: "dropped beside",
    changes: [["main.js", "guardDrops();", ""]],
  },
  {
    name: "a network that is not loaded",
    checks: "what saveModel gives",
    changes: [["main.js", "  loadModel,\n", "  loadModel: async () => [],\n"]],
  },
  {
    name: "a curve without its line",
    checks: "are drawn",
    changes: [["charts.js", "    pen.stroke();\n    const [first] = history;", "    const [first] = history;"]],
  },
  {
    name: "a matrix that is not drawn again",
    checks: "are drawn",
    changes: [["digits.js", 'held = await lab.client.call("heldOut");', 'held ??= await lab.client.call("heldOut");']],
  },
  {
    name: "a spiral that does not stop",
    checks: "the spiral's training stops",
    changes: [["spiral.js", 'byId("spiral-stop").addEventListener("click", stop);', ""]],
  },
  {
    name: "a leak with each stop",
    checks: "that are stopped",
    changes: [
      [
        "worker.js",
        "stop: (_, task) => session.stop(task)",
        "stop: (_, task) => (device.createBuffer({ size: 4096, usage: 128 }), session.stop(task))",
      ],
    ],
  },
  {
    name: "operands that are made on the page's own thread",
    checks: "speed of three jobs",
    changes: [
      [
        "speed.js",
        'await own.call("speedExpected", [about, SEED, wanted]);',
        'await import("./inputs.js").then(({ expected, inputs }) => expected(about, inputs(about, SEED, shapes), wanted, shapes));',
      ],
    ],
  },
  {
    name: "a TensorFlow.js that keeps its memory",
    checks: "speed of three jobs",
    changes: [["speed.js", "    endPeer();\n    arrive(state);", "    arrive(state);"]],
  },
  {
    name: "a kernel that is wrong",
    checks: "parity report",
    changes: [
      ["wgpu_mlp_page_bg.wasm", "select(Value(0.0), gradient,", "select(Value(1.0), gradient,"],
    ],
  },
];

const { values: options } = parseArgs({
  options: {
    dist: { type: "string", default: fileURLToPath(new URL("../../web/dist", import.meta.url)) },
    only: { type: "string", default: "" },
  },
});
const runner = fileURLToPath(new URL("run.js", import.meta.url));
let [noticed, survived] = [0, 0];
for (const { name, checks, changes } of MUTANTS.filter(({ name }) => name.includes(options.only))) {
  const copy = await mkdtemp(join(tmpdir(), "wgpu-mlp-page-"));
  try {
    await cp(options.dist, copy, { recursive: true });
    const stale = [];
    for (const [file, from, to] of changes) if (!(await change(join(copy, file), from, to))) stale.push(`${file} has no ${from}`);
    if (stale.length) {
      survived += 1;
      console.log(`STALE     ${name}: ${stale.join("; ")}`);
      continue;
    }
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

/** Returns whether the text was found. */
async function change(path, from, to) {
  const text = await readFile(path, "latin1");
  const [wanted, other] = [from, to].map((part) => Buffer.from(part, "utf8").toString("latin1"));
  if (!text.includes(wanted)) return false;
  await writeFile(path, text.replace(wanted, () => other), "latin1");
  return true;
}
