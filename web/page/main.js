// @ts-check
// The page's beginning: starts the sections, opens a device, and offers the client as `wgpuMlp`.

import { startDigits, train } from "./digits.js";
import { startDrawing } from "./draw.js";
import { lab, startDevice } from "./lab.js";
import { loadModel, saveModel, startModel } from "./model.js";
import { guardDrops, guardKeys, keepClear } from "./page.js";
import { startParity } from "./parity.js";
import { startSpeed } from "./speed.js";
import { startSpiral } from "./spiral.js";

/** The calls for programs on the page, which do the same as the buttons. */
const wgpuMlp = {
  /** The probabilities of the ten digits, for rows of 64 pixels from 0 to 1. @param {Float32Array} features */
  probabilities: (features) => lab.client.call("probabilities", [features]),
  loadModel,
  saveModel,
  /** Trains a network on the digits, with these options instead of those of the form. @param {Record<string, any>} [options] */
  train: async (options) => {
    const { accuracy, epochs } = await train(options);
    return { accuracy, epochs };
  },
  /** The bytes of the module's memory, and the bytes that the device holds now and held at most. */
  heap: () => lab.client.call("heap"),
  /** Opens `gpu` or `cpu`. @param {"gpu" | "cpu"} kind */
  openDevice: async (kind) => {
    await lab.open(kind);
    return lab.info;
  },
  /** Destroys the GPU's device, as if its driver had failed. */
  loseDevice: () => lab.client.call("loseDevice"),
};
Object.assign(globalThis, { wgpuMlp });

keepClear();
guardKeys();
guardDrops();
startDevice();
startDigits();
startDrawing();
startModel();
startSpiral();
startParity();
startSpeed();
lab.start().catch((error) => lab.fail(error));
