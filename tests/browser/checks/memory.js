// Many trainings in a row, after which the page must use as much memory as before.

import assert from "node:assert/strict";
import { gpuAccounts } from "../harness/accounting.js";

const TRAININGS = 100;
const FIRST = 20; // after these trainings, all memory that is kept for reuse has been allocated
// Requests of the page during a training take one buffer more if both happen at the same time; a leak would take far more.
const WASM_SLACK = 4 * 65_536;
const BUFFER_SLACK = 3;
const BYTES_SLACK = 1.25;
/** Trainings that are stopped. A leak would take a buffer for most of them. */
const STOPS = 40;
const FIRST_STOPS = 5;
const STOP_SLACK = 8;
/** A leak of an object of a few kilobytes for each training would take this much. */
const SCRIPT_SLACK = 400_000;

// Small networks and few steps are enough: this check is about the memory that a training takes and frees.
const train = (page, times) =>
  page.evaluate(async (times) => {
    for (let time = 0; time < times; time += 1) {
      await globalThis.wgpuMlp.train({ epochs: 1, batch: 128, layers: [24 + (time % 3) * 8] });
    }
    return globalThis.wgpuMlp.heap();
  }, times);

/** Starts trainings, and stops each after its first epoch, when the worker probably awaits a read. */
const stopTrainings = (page, times) =>
  page.evaluate(async (times) => {
    const epoch = document.getElementById("digits-epoch");
    for (let time = 0; time < times; time += 1) {
      const reached = new Promise((resolve) => {
        new MutationObserver((_, observer) => {
          if (epoch.dataset.value === "0") return;
          observer.disconnect();
          resolve();
        }).observe(epoch, { attributes: true, attributeFilter: ["data-value"] });
      });
      const ended = globalThis.wgpuMlp.train({ epochs: 10_000, batch: 128, layers: [24] });
      await reached;
      document.getElementById("digits-stop").click();
      await ended;
    }
  }, times);

/** The bytes that the scripts of the page and of the worker hold after a garbage collection. */
const scriptBytes = (page) =>
  page.evaluate(async () => {
    const { breakdown } = await performance.measureUserAgentSpecificMemory();
    const ofScripts = breakdown.filter(({ types }) => types.includes("JavaScript"));
    return ofScripts.reduce((sum, { bytes }) => sum + bytes, 0);
  });

export const memory = [
  {
    name: `${TRAININGS} trainings in a row do not grow the heap, nor what is held on the GPU`,
    seconds: 240,
    async run(t) {
      const page = await t.page();
      const before = { heap: await train(page, FIRST), gpu: await gpuAccounts(page), scripts: await scriptBytes(page) };
      const after = { heap: await train(page, TRAININGS), gpu: await gpuAccounts(page), scripts: await scriptBytes(page) };
      t.note = [
        `wasm ${before.heap.wasmBytes} to ${after.heap.wasmBytes} bytes`,
        `scripts ${before.scripts} to ${after.scripts} bytes`,
        `device ${before.heap.allocatedBytes} to ${after.heap.allocatedBytes} bytes`,
        `${before.gpu.buffers} to ${after.gpu.buffers} GPU buffers of ${after.gpu.created} that were made`,
      ].join(", ");
      assert.ok(before.heap.wasmBytes > 0 && before.heap.allocatedBytes > 0, JSON.stringify(before.heap));
      assert.ok(after.heap.wasmBytes <= before.heap.wasmBytes + WASM_SLACK, t.note);
      assert.ok(before.scripts > 100_000, "the scripts' memory was not measured");
      assert.ok(after.scripts <= before.scripts + SCRIPT_SLACK, t.note);
      assert.ok(after.heap.allocatedBytes <= before.heap.allocatedBytes * BYTES_SLACK, t.note);
      assert.ok(after.heap.peakBytes >= after.heap.allocatedBytes, JSON.stringify(after.heap));
      assert.ok(before.gpu.created > 0, "no buffer was counted");
      assert.ok(after.gpu.buffers <= before.gpu.buffers + BUFFER_SLACK, t.note);
      const bytes = `${before.gpu.bytes} to ${after.gpu.bytes} bytes in GPU buffers`;
      assert.ok(after.gpu.bytes <= before.gpu.bytes * BYTES_SLACK, bytes);
      assert.equal(after.gpu.collected, 0, `${after.gpu.collected} GPU buffers were dropped without destroy`);
    },
  },
  {
    name: `${STOPS} trainings that are stopped leave nothing on the GPU`,
    seconds: 180,
    async run(t) {
      const page = await t.page();
      await stopTrainings(page, FIRST_STOPS);
      const before = await gpuAccounts(page);
      await stopTrainings(page, STOPS);
      const after = await gpuAccounts(page);
      t.note = `${before.buffers} to ${after.buffers} GPU buffers`;
      assert.ok(after.buffers <= before.buffers + STOP_SLACK, t.note);
      assert.equal(after.collected, before.collected, `${after.collected - before.collected} GPU buffers were dropped without destroy`);
    },
  },
  {
    name: "devices that are opened in a row do not stay open",
    seconds: 120,
    async run(t) {
      const page = await t.page();
      await page.evaluate(async () => {
        for (let time = 0; time < 8; time += 1) {
          await globalThis.wgpuMlp.openDevice("cpu");
          await globalThis.wgpuMlp.openDevice("gpu");
        }
      });
      const { devices } = await gpuAccounts(page);
      assert.ok(devices <= 2, `${devices} devices are open`);
    },
  },
];
