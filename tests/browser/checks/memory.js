// Many trainings in a row, after which the page must hold what it held before.

import assert from "node:assert/strict";
import { gpuAccounts } from "../harness/accounting.js";

const TRAININGS = 100;
const FIRST = 10; // after these, whatever is kept for reuse is there

const train = (page, times) =>
    page.evaluate(async (times) => {
        for (let time = 0; time < times; time += 1) await globalThis.wgpuMlp.train({ epochs: 1 });
        return globalThis.wgpuMlp.heap();
    }, times);

export const memory = [
    {
        name: `${TRAININGS} trainings in a row do not grow the heap, nor what is held on the GPU`,
        seconds: 240,
        async run(t) {
            const page = await t.page();
            const before = { heap: await train(page, FIRST), gpu: await gpuAccounts(page) };
            const after = { heap: await train(page, TRAININGS - FIRST), gpu: await gpuAccounts(page) };
            t.note = [
                `wasm ${before.heap.wasmBytes} to ${after.heap.wasmBytes} bytes`,
                `device ${before.heap.allocatedBytes} to ${after.heap.allocatedBytes} bytes`,
                `${before.gpu.buffers} to ${after.gpu.buffers} GPU buffers of ${after.gpu.created} that were made`,
            ].join(", ");
            assert.ok(before.heap.wasmBytes > 0 && before.heap.allocatedBytes > 0, JSON.stringify(before.heap));
            assert.equal(after.heap.wasmBytes, before.heap.wasmBytes, t.note);
            assert.equal(after.heap.allocatedBytes, before.heap.allocatedBytes, t.note);
            assert.ok(after.heap.peakBytes >= after.heap.allocatedBytes, JSON.stringify(after.heap));
            assert.ok(before.gpu.created > 0, "no buffer was counted");
            // A staging buffer may be on its way when they are counted.
            assert.ok(after.gpu.buffers <= before.gpu.buffers + 2, t.note);
            assert.ok(after.gpu.bytes <= 1.05 * before.gpu.bytes, `${before.gpu.bytes} to ${after.gpu.bytes} GPU bytes`);
            assert.equal(after.gpu.collected, 0, `${after.gpu.collected} GPU buffers were dropped without destroy`);
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
