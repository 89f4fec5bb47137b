// @ts-check
// The lab: the worker, the device that is open in it, and how both are replaced when they are lost.

import { Client } from "./client.js";
import { byId, say, sentence } from "./page.js";

/** @typedef {"gpu" | "cpu"} Kind */
/** @typedef {{ kind: Kind, kindName: string, software: boolean, name: string, backend: string, driver: string, reason: string, limits: string }} Info */

const WITHOUT_WEBGPU =
  "This browser offers no WebGPU, so the page computes on the CPU path. Chrome and Edge have it from version 113 (121 on Android, " +
  "later on Linux), Safari from 26, Firefox from 141 on Windows and 145 on Macs with Apple silicon; a page needs https or localhost for it.";

/** Advice for the case that the browser has WebGPU but finds no GPU. */
const ADVICE =
  "If there is one, hardware acceleration may be switched off in the browser's settings, or the driver may be too old; " +
  "chrome://gpu or about:support says more.";

/** If a browser gives no answer about a GPU for so many milliseconds, the page assumes that there is none. */
const LONGEST_OPENING = 30_000;

/** How often a broken module is replaced before the page gives up. */
const MOST_REPLACEMENTS = 3;

/** If a GPU is lost this many times within LOSSES_WITHIN milliseconds, the page stays on the CPU path until the visitor chooses the GPU again. */
const MOST_LOSSES = 4;
const LOSSES_WITHIN = 60_000;

/** Dispatches the event `device` after a device was opened, and `model` after the digits' network changed. */
class Lab extends EventTarget {
  client = new Client();
  /** @type {Info | null} */
  info = null;
  /** The latest network for the digits, as the bytes of a file. @type {Uint8Array | null} */
  lastModel = null;
  /** The work that runs on the device: for each piece, a function that stops it, and a promise of its end. @type {Set<{ stop: () => void, ended: Promise<any> }>} */
  running = new Set();
  /** @type {Promise<void> | null} */
  #recovering = null;
  #replacements = 0;
  /** When a GPU was lost lately. @type {number[]} */
  #losses = [];
  /** Whether a GPU is being opened. If the worker breaks meanwhile, the new worker opens the CPU path. */
  #opensGpu = false;
  /** Whether the worker was given up because the browser gave no answer about a GPU. */
  #silent = false;
  /** The last change of the device. The next change waits for it. @type {Promise<any>} */
  #change = Promise.resolve();

  constructor() {
    super();
    this.client.onLost = (reason) => void this.recover(reason);
    this.client.onEnded = (message) => this.fail(new Error(message));
    this.client.onReplaced = (message) => this.#replaced(message);
  }

  /** Loads the module and the digits, and opens a device. */
  start() {
    const started = this.#change.then(() => this.#start());
    this.#change = started.catch(() => {});
    return started;
  }

  async #start() {
    try {
      // On a slow network this takes long.
      say("The module and the digits are being loaded.");
      await this.#load();
      if ("gpu" in navigator) {
        say("The browser is asked for a GPU.");
        await this.#openOrFallBack("gpu");
      } else {
        await this.#open("cpu", "the browser offers no WebGPU");
        say(WITHOUT_WEBGPU, "warning");
      }
    } catch (error) {
      // A worker that broke has been replaced, or its end has been reported.
      if (isBroken(error)) return;
      throw error;
    }
    if (this.info?.kind === "gpu") say(this.info.software ? "Ready, on a software driver: slow, but the same kernels." : "Ready.");
  }

  /** Opens the other device, after the work on this one has stopped. @param {Kind} kind */
  open(kind) {
    const change = this.#change.then(async () => {
      for (const { stop } of this.running) stop();
      await this.#ended();
      this.#losses = [];
      await this.#open(kind);
      say(`Computing on ${this.info?.name}.`);
    });
    this.#change = change.catch(() => {});
    return change;
  }

  /** Awaits the end of a change of the device, so that new work runs on the new device. */
  async settled() {
    let seen;
    do {
      seen = this.#change;
      await seen;
    } while (seen !== this.#change);
  }

  /** Awaits work on the device, and registers it, so that it is stopped before the device changes. @template T @param {() => void} stop @param {Promise<T>} ended */
  async follow(stop, ended) {
    const entry = { stop, ended };
    this.running.add(entry);
    try {
      return await ended;
    } finally {
      this.running.delete(entry);
    }
  }

  /** Shows an error's message; if the device is lost, opens a new one. @param {unknown} error */
  async report(error) {
    const name = error instanceof Error ? error.name : "";
    if (name === "DeviceLost") return this.recover(sentence(error));
    const advice = name === "NoAdapter" ? ` ${ADVICE}` : "";
    // The code that replaced the worker has shown the message already.
    if (name !== "Broken") say(`${sentence(error)}${advice}`, "bad");
  }

  /** Opens a new device after one was lost. The models are moved there from their last copies. @param {string} reason */
  recover(reason) {
    if (!this.#recovering) {
      this.#recovering = this.#change.then(() => this.#reopen(reason)).finally(() => (this.#recovering = null));
      this.#change = this.#recovering.catch(() => {});
    }
    return this.#recovering;
  }

  /** Keeps the digits' network in case the module breaks. */
  async keepModel() {
    this.lastModel = await this.client.call("saveModel");
    this.dispatchEvent(new Event("model"));
  }

  async #load() {
    await this.client.call("init");
    await this.client.call("readDigits");
  }

  async #ended() {
    await Promise.allSettled([...this.running].map(({ ended }) => ended));
  }

  /** @param {Kind} kind @param {string} [reason] why this device was chosen, if the library cannot know it */
  async #open(kind, reason) {
    this.#opensGpu = kind === "gpu";
    const late = () => {
      this.#silent = true;
      this.client.giveUp(`the browser gave no answer about a GPU within ${LONGEST_OPENING / 1000} s`);
    };
    const timer = this.#opensGpu ? setTimeout(late, LONGEST_OPENING) : 0;
    try {
      this.info = /** @type {Info} */ (await this.client.call("open", [kind]));
      this.#opensGpu = false;
    } catch (error) {
      if (!isBroken(error)) this.#opensGpu = false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
    if (reason) this.info.reason = reason;
    document.body.dataset.device = this.info.kind;
    document.body.dataset.ready = "true";
    this.dispatchEvent(new Event("device"));
  }

  /** @param {Kind} kind */
  async #openOrFallBack(kind) {
    try {
      await this.#open(kind);
    } catch (error) {
      if (kind === "cpu" || isBroken(error)) throw error;
      await this.#open("cpu", sentence(error));
      say(`No GPU could be opened, so the page computes on the CPU path. ${sentence(error)} ${ADVICE}`, "warning");
    }
  }

  /** @param {string} reason */
  async #reopen(reason) {
    // The visitor has chosen another device meanwhile.
    if (this.info?.kind === "cpu") return;
    const told = reason.replace(/[.\s]+$/, "");
    const now = performance.now();
    this.#losses = [...this.#losses.filter((time) => now - time < LOSSES_WITHIN), now];
    // A GPU that is lost again and again would be opened without an end.
    const often = this.#losses.length >= MOST_LOSSES;
    say(`The GPU is lost (${told}). ${often ? "The CPU path takes its place." : "A new one is being opened."}`, "warning");
    try {
      await this.#ended();
      if (often) await this.#open("cpu", `a GPU was lost ${MOST_LOSSES} times within a minute`);
      else await this.#openOrFallBack("gpu");
      const instead = often ? `That has happened ${MOST_LOSSES} times within a minute` : "No other could be opened";
      const where = this.info?.kind === "gpu" ? "A new one is open" : `${instead}, so the page computes on the CPU path`;
      say(`The GPU was lost (${told}). ${where}; the networks are as they were after their last epoch.`, "warning");
    } catch (error) {
      if (!isBroken(error)) this.fail(error);
    }
  }

  /** Lets a new worker load before any change in the queue calls it. @param {string} message */
  #replaced(message) {
    const [overGpu, silent] = [this.#opensGpu, this.#silent];
    this.#opensGpu = this.#silent = false;
    if (!silent && ++this.#replacements > MOST_REPLACEMENTS) return this.fail(new Error(message));
    const loaded = this.#load();
    loaded.catch(() => {});
    this.#change = this.#change.then(() => this.#restore(message, loaded, overGpu, silent)).catch(() => {});
  }

  /**
   * Restores the state of the old worker in a new one; on the CPU path if the old worker broke because of a GPU.
   * @param {string} message
   * @param {Promise<void>} loaded
   * @param {boolean} overGpu
   * @param {boolean} silent
   */
  async #restore(message, loaded, overGpu, silent) {
    if (!silent) say(`The module failed and is started anew: ${message}`, "bad");
    try {
      await loaded;
      // The model is on the CPU path at first, and moves to the device that is opened.
      if (this.lastModel) await this.client.call("loadModel", [this.lastModel]);
      if (overGpu) await this.#open("cpu", sentence(message));
      else await this.#openOrFallBack(this.info?.kind ?? "gpu");
      this.dispatchEvent(new Event("restored"));
      const network = this.lastModel ? ", with the digits' network as it was last kept" : "";
      if (silent) say(`${sentence(message)} The page computes on the CPU path${network}. ${ADVICE}`, "warning");
      else say(`The module failed and was started anew${network}, on ${this.info?.name}. It said: ${message}`, "bad");
    } catch (error) {
      // A worker that broke again has queued another restore, or its end has been reported.
      if (!isBroken(error)) this.fail(error);
    }
  }

  /** Says that nothing works any more. @param {unknown} error */
  fail(error) {
    this.client.end(sentence(error));
    this.info = null;
    this.dispatchEvent(new Event("device"));
    document.body.dataset.ready = "failed";
    say(`The page cannot go on: ${sentence(error)} Loading it again may help.`, "bad");
  }
}

/** Whether the error says that a worker broke; that is reported and repaired elsewhere. @param {unknown} error */
const isBroken = (error) => error instanceof Error && error.name === "Broken";

export const lab = new Lab();

/** Fills the section about the device. */
export function showDevice() {
  const info = lab.info;
  if (!info) {
    for (const kind of ["gpu", "cpu"]) /** @type {HTMLInputElement} */ (byId(`use-${kind}`)).disabled = true;
    return;
  }
  byId("device-name").textContent = info.name || "the browser does not say";
  byId("device-kind").textContent = [info.kindName, info.backend, info.driver].filter(Boolean).join(", ");
  byId("device-reason").textContent = info.reason;
  byId("device-limits").textContent = info.limits;
  for (const kind of ["gpu", "cpu"]) {
    const radio = /** @type {HTMLInputElement} */ (byId(`use-${kind}`));
    radio.checked = info.kind === kind;
    radio.disabled = kind === "gpu" && !("gpu" in navigator);
  }
}

/** Lets the user choose the device. */
export function startDevice() {
  lab.addEventListener("device", showDevice);
  for (const kind of /** @type {Kind[]} */ (["gpu", "cpu"])) {
    byId(`use-${kind}`).addEventListener("change", async () => {
      try {
        await lab.open(kind);
      } catch (error) {
        await lab.report(error);
        showDevice();
      }
    });
  }
}
