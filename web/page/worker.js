// @ts-check
// The module worker in which the WebAssembly module runs, so that the page responds while it computes.
//
// Each message names a call: `{ id, method, args }`. The answer is `{ id, result }` or `{ id, error: { name, message } }`,
// with any number of `{ id, event }` before it. Two messages have no id: `{ panic }`, after which the worker cannot be used, and
// `{ lost }`, when the browser took the device away. Calls that arrive before the module and the digits are loaded wait for them.

import { expected, inputs } from "./inputs.js";
import init, { Session, onPanic } from "./wgpu_mlp_page.js";

/** @type {Session} */
let session;
/** @type {WebAssembly.Memory} */
let memory;
/** Fulfilled when the session has been made and has its digits. */
let loaded = () => {};
/** @type {Promise<void>} */
const whole = new Promise((resolve) => (loaded = resolve));
/** The browser's device that the session uses, kept to notice its loss. @type {any} */
let device = null;

const post = /** @type {(message: any, transfer?: Transferable[]) => void} */ (self.postMessage.bind(self));

// wgpu requests a device from the adapter; there is no other way to obtain this device.
const Adapter = /** @type {any} */ (globalThis).GPUAdapter;
if (Adapter) {
  const request = Adapter.prototype.requestDevice;
  Adapter.prototype.requestDevice = async function (/** @type {any[]} */ ...wanted) {
    const opened = await request.apply(this, wanted);
    device = opened;
    opened.lost.then((/** @type {any} */ { reason, message }) => {
      if (device === opened) post({ lost: message || reason || "unknown" });
    });
    return opened;
  };
}

/** @type {Record<string, (tell: (event: any) => void, ...args: any[]) => any>} */
const calls = {
  async init() {
    if (typeof WebAssembly === "undefined") throw new Error("this browser has no WebAssembly, or it is switched off");
    const module = await init();
    memory = module.memory;
    onPanic((/** @type {string} */ panic) => post({ panic }));
    session = new Session();
  },
  async open(_, kind) {
    const before = device;
    device = null;
    try {
      return await session.open(kind);
    } catch (error) {
      device = before;
      throw error;
    }
  },
  async readDigits() {
    const counts = session.readDigits(await unpacked("digits.csv.gz"));
    loaded();
    return counts;
  },
  train: (tell, task, options, goOn) => session.train(task, options, goOn, tell),
  stop: (_, task) => session.stop(task),
  heldOut: () => session.heldOut(),
  probabilities: (_, features) => session.probabilities(features),
  saveModel: () => session.saveModel(),
  loadModel: (_, bytes) => session.loadModel(bytes),
  spiralPoints: () => session.spiralPoints(),
  spiralRegions: (_, side) => session.spiralRegions(side),
  verify: (tell, full) => session.verify(full, tell),
  stopVerifying: () => session.stopVerifying(),
  speedShapes: () => session.speedShapes(),
  async speedPrepare(_, about, seed) {
    const { first, second, labels } = inputs(about, seed, session.speedShapes());
    await session.speedPrepare(about, first, second, labels);
  },
  async speedRun(_, times) {
    const began = performance.now();
    await session.speedRun(times);
    return performance.now() - began;
  },
  speedSample: (_, places) => session.speedSample(places),
  // The operands are made here once more: they are so long that the page would not respond meanwhile.
  speedExpected(_, about, seed, places) {
    const shapes = session.speedShapes();
    return expected(about, inputs(about, seed, shapes), places, shapes);
  },
  speedDrop: () => session.speedDrop(),
  heap() {
    const { allocatedBytes, peakBytes, ...counters } = session.counters();
    return { wasmBytes: memory.buffer.byteLength, allocatedBytes, peakBytes, counters };
  },
  // Does what a failing driver does: for tests, and to see how the page continues.
  loseDevice: () => device?.destroy(),
};

/** The text of a file that is packed with gzip, also if the server has unpacked it. @param {string} name */
async function unpacked(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} could not be loaded: the server answered ${answer.status}`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!packed) return new TextDecoder().decode(bytes);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** Whether the module ran into a trap. @param {unknown} error @returns {error is WebAssembly.RuntimeError} */
const isTrap = (error) => typeof WebAssembly !== "undefined" && error instanceof WebAssembly.RuntimeError;

/** Reports a trap, after which the state of the module's memory is unknown. @param {WebAssembly.RuntimeError} trap */
const trapped = (trap) => post({ panic: `the module ran into a trap, ${trap.message}` });

// Some code runs when no call waits, for example after the browser's answer about a buffer. Only this handler notices a trap there.
self.addEventListener("unhandledrejection", (event) => {
  if (isTrap(event.reason)) trapped(event.reason);
});

self.onmessage = async ({ data: { id, method, args } }) => {
  try {
    if (method !== "init" && method !== "readDigits") await whole;
    const result = await calls[method]((event) => post({ id, event }), ...args);
    post({ id, result });
  } catch (error) {
    if (isTrap(error)) return trapped(error);
    const known = error instanceof Error;
    post({ id, error: { name: known ? error.name : "Failed", message: known ? error.message : String(error) } });
  }
};
