// @ts-check
// The section that measures three jobs, in turns with TensorFlow.js if it is installed.

import { Client } from "./client.js";
import { places } from "./inputs.js";
import { lab } from "./lab.js";
import { byId, enter, say, sentence } from "./page.js";

/** @typedef {import("./inputs.js").Shapes} Shapes */
/** @typedef {{ op: string, name: string, sizes: number[], probe: number, power: number, unit: string, rate: (size: number, ms: number, shapes: Shapes) => number, label: (size: number) => string }} Job */
/** @typedef {{ name: string, call: (method: string, args?: any[]) => Promise<any>, drop: () => Promise<void>, extra: (shapes: Shapes) => any[] }} Side */

/** If a run would take longer than this many milliseconds, a smaller size is measured; `?longest=60000` in the page's address allows more. */
const LONGEST = Number(new URLSearchParams(location.search).get("longest")) || 2500;
/** If TensorFlow.js needs more milliseconds than this, the page assumes that it does not start. */
const LONGEST_START = 60_000;
/** A turn repeats the job for about so many milliseconds. */
const TURN = 200;
const [TURNS, FEW_TURNS] = [5, 3];
const SEED = 1;
const PLACES = 64;
/** The number of steps whose losses are compared. */
const STEPS = 3;

/** @type {Job[]} */
const JOBS = [
  {
    op: "matmul", name: "product", sizes: [1024, 512, 256], probe: 128, power: 3, unit: "GFLOP/s",
    rate: (size, ms) => (2 * size ** 3) / ms / 1e6,
    label: (size) => `${size} × ${size} × ${size}`,
  },
  {
    op: "softmax", name: "softmax", sizes: [32768, 8192, 2048, 512], probe: 128, power: 1, unit: "GB/s",
    rate: (size, ms, { columns }) => (8 * size * columns) / ms / 1e6,
    label: (size) => `${size.toLocaleString("en")} × 1,000`,
  },
  {
    op: "step", name: "training step 784-512-10", sizes: [1024, 256, 64], probe: 32, power: 1, unit: "rows/s",
    rate: (size, ms) => (1000 * size) / ms,
    label: (size) => `${size.toLocaleString("en")} rows`,
  },
];

let running = false;
/** The version of TensorFlow.js that the build found. @type {string | null} */
let version = null;
/** The worker of TensorFlow.js, also while it starts. @type {Client | null} */
let peerClient = null;

let halted = false;

/** Calls a worker, unless the measurement was stopped. @param {Client} client @param {string} method @param {any[]} [args] */
async function call(client, method, args) {
  if (halted) throw new Error("the measurement was stopped");
  return client.call(method, args);
}

/** An error in TensorFlow.js, which does not concern the page's own device. */
class PeerFailed extends Error {}

/** @param {Client} client @param {string} method @param {any[]} [args] */
async function callPeer(client, method, args) {
  try {
    return await call(client, method, args);
  } catch (error) {
    throw halted ? error : new PeerFailed(sentence(error));
  }
}

/** @type {Side} */
const own = {
  name: "wgpu-mlp",
  call: (method, args) => call(lab.client, method, args),
  drop: () => lab.client.call("speedDrop"),
  extra: () => [],
};

/** @param {string} state */
function arrive(state) {
  enter("speed", state, { "speed-stop": running, "speed-start": !running && lab.info !== null });
}

/** @param {Side} side @param {Job} job @param {number} size @param {Shapes} shapes */
const prepare = (side, job, size, shapes) => side.call("speedPrepare", [{ op: job.op, size }, SEED, ...side.extra(shapes)]);

/** A run's time at this size, from the time at a small one. @param {Side} side @param {Job} job @param {Shapes} shapes */
async function probe(side, job, shapes) {
  await prepare(side, job, job.probe, shapes);
  // The first run compiles kernels.
  await side.call("speedRun", [1]);
  const ms = Math.min(await side.call("speedRun", [1]), await side.call("speedRun", [1]));
  return (/** @type {number} */ size) => ms * (size / job.probe) ** job.power;
}

/** Checks the results at the size that is measured, and returns what is wrong. @param {Side[]} sides @param {Job} job @param {number} size @param {Shapes} shapes */
async function check(sides, job, size, shapes) {
  const about = { op: job.op, size };
  if (job.op === "step") {
    /** @type {Float32Array[]} */
    const all = [];
    for (const side of sides) all.push(await side.call("speedSample", [new Uint32Array(STEPS)]));
    const falls = all.every((losses) => losses.every(Number.isFinite) && losses[STEPS - 1] < losses[0]);
    const agree = all.every((losses) => losses.every((loss, at) => near(loss, all[0][at], 1e-3)));
    return falls && agree ? "" : "the losses differ or do not fall";
  }
  const wanted = places(PLACES, size * (job.op === "matmul" ? size : shapes.columns));
  /** @type {Float64Array} */
  const want = await own.call("speedExpected", [about, SEED, wanted]);
  // Rounding in 32 bits: the sums of a product lose up to about 1e-5 of their terms' size.
  const slack = job.op === "matmul" ? 1e-6 * size : 0;
  for (const side of sides) {
    const got = await side.call("speedSample", [wanted]);
    if (!want.every((value, at) => near(got[at], value, 1e-3, slack))) return `${side.name} computes something else`;
  }
  return "";
}

/** @param {number} got @param {number} want @param {number} share @param {number} [slack] */
const near = (got, want, share, slack = 0) => Math.abs(got - want) <= share * Math.abs(want) + slack;

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}

/** Measures one job on all sides in turns. @param {Side[]} sides @param {Job} job @param {Shapes} shapes */
async function measure(sides, job, shapes) {
  /** @type {((size: number) => number)[]} */
  const times = [];
  for (const side of sides) times.push(await probe(side, job, shapes));
  const slowest = (/** @type {number} */ size) => Math.max(...times.map((time) => time(size)));
  const full = job.sizes[0];
  const size = job.sizes.find((size) => slowest(size) <= LONGEST) ?? job.sizes[job.sizes.length - 1];
  for (const side of sides) await prepare(side, job, size, shapes);
  const wrong = await check(sides, job, size, shapes);
  /** @type {number[][]} */
  const taken = sides.map(() => []);
  const runs = [];
  for (const side of sides) runs.push(Math.min(100, Math.max(1, Math.round(TURN / (await side.call("speedRun", [1]))))));
  const turns = slowest(size) > TURN ? FEW_TURNS : TURNS;
  for (let turn = 0; turn < turns; turn++) {
    for (const [index, side] of sides.entries()) {
      taken[index].push((await side.call("speedRun", [runs[index]])) / runs[index]);
    }
  }
  for (const side of sides) await side.drop();
  const less = size === full ? "" : `${job.label(full)} would take about ${(slowest(full) / 1000).toFixed(0)} s a run here`;
  return { size, ms: taken.map(median), note: [wrong && `Wrong: ${wrong}`, less].filter(Boolean).join("; "), wrong };
}

/** @param {Job} job @param {Side[]} sides @param {Awaited<ReturnType<typeof measure>>} result @param {Shapes} shapes */
function showRow(job, sides, { size, ms, note, wrong }, shapes) {
  const row = document.createElement("tr");
  row.dataset.op = job.op;
  row.dataset.size = String(size);
  const name = document.createElement("th");
  name.setAttribute("scope", "row");
  name.textContent = `${job.name}, ${job.label(size)}`;
  row.append(name);
  for (const [index, who] of ["wgpu-mlp", "tfjs"].entries()) {
    const cell = document.createElement("td");
    cell.dataset.who = who;
    const time = index < sides.length ? ms[index] : undefined;
    cell.dataset.value = time === undefined ? "" : String(time);
    cell.textContent = time === undefined ? "–" : `${plain(time)} ms, ${plain(job.rate(size, time, shapes))} ${job.unit}`;
    row.append(cell);
  }
  const told = document.createElement("td");
  told.textContent = note;
  if (wrong) told.className = "bad";
  row.append(told);
  byId("speed-table").querySelector("tbody")?.append(row);
}

/** @param {number} value */
const plain = (value) => (value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3));

/** Says that TensorFlow.js is installed. */
function showInstalled() {
  byId("speed-tfjs").textContent = `TensorFlow.js ${version} is there; each measurement starts it.`;
}

/** Ends TensorFlow.js. The next measurement starts it again. */
function endPeer() {
  peerClient?.end();
  peerClient = null;
}

/** Starts TensorFlow.js in its worker. @returns {Promise<Side | null>} */
async function peer() {
  if (!version) return null;
  const client = new Client("tfjs-worker.js", "classic");
  peerClient = client;
  const timer = setTimeout(() => client.end(`there was no answer within ${LONGEST_START / 1000} s`), LONGEST_START);
  try {
    const found = await client.call("init");
    byId("speed-tfjs").textContent = `TensorFlow.js ${found}, WebGPU backend.`;
    return {
      name: "TensorFlow.js",
      call: (method, args) => callPeer(client, method, args),
      drop: () => callPeer(client, "speedDrop"),
      extra: (shapes) => [shapes],
    };
  } catch (error) {
    endPeer();
    if (halted) showInstalled();
    else byId("speed-tfjs").textContent = `TensorFlow.js ${version} is there and does not start: ${sentence(error)}`;
    return null;
  } finally {
    clearTimeout(timer);
  }
}

/** Measures all jobs, and removes everything of them from the device. @param {Side[]} sides */
async function measureAll(sides) {
  const shapes = await lab.client.call("speedShapes");
  try {
    for (const job of JOBS) {
      say(`Measuring the ${job.name}.`);
      showRow(job, sides, await measure(sides, job, shapes), shapes);
    }
    say(`Measured on ${lab.info?.name}.`);
  } finally {
    // If the worker has ended, its memory is already free.
    await Promise.allSettled(sides.map((side) => side.drop()));
  }
}

/** Measures all jobs in an empty table, until someone stops it. @param {Side[]} sides */
async function measured(sides) {
  byId("speed-table").querySelector("tbody")?.replaceChildren();
  byId("speed-on").textContent = `On ${lab.info?.name}`;
  await lab.follow(stop, measureAll(sides));
}

function stop() {
  halted = true;
  // TensorFlow.js may be the side that gives no answer.
  endPeer();
}

async function start() {
  if (running) return;
  running = true;
  halted = false;
  arrive("running");
  let state = "failed";
  try {
    const other = await peer();
    await lab.settled();
    try {
      await measured(other ? [own, other] : [own]);
    } catch (error) {
      if (halted || !(error instanceof PeerFailed)) throw error;
      endPeer();
      byId("speed-tfjs").textContent = `TensorFlow.js ${version} failed, so the crate is measured alone: ${error.message}`;
      await measured([own]);
    }
    state = "done";
  } catch (error) {
    state = halted ? "stopped" : "failed";
    if (halted) say("The measurement was stopped.");
    else await lab.report(error);
  } finally {
    running = false;
    // TensorFlow.js keeps the buffers of tensors that were disposed of. They are freed when its worker ends.
    endPeer();
    arrive(state);
  }
}

/** Shows whether TensorFlow.js is installed. */
async function findPeer() {
  const answer = await fetch("tfjs.json");
  version = answer.ok ? (await answer.json()).version : null;
  if (version) showInstalled();
  else byId("speed-tfjs").textContent = "TensorFlow.js is not there, so the crate is measured alone. To add it: npm install in web/, then web/build.";
}

export function startSpeed() {
  byId("speed-start").addEventListener("click", () => void start());
  byId("speed-stop").addEventListener("click", stop);
  lab.addEventListener("device", () => arrive(byId("speed").dataset.state ?? "idle"));
  findPeer().catch((error) => (byId("speed-tfjs").textContent = sentence(error)));
}
