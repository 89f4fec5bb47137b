// The page's measurements. Speed depends on the machine, so these checks do not test it.

import assert from "node:assert/strict";
import { BREAKS_PEER } from "../harness/accounting.js";
import { reloadAfter, run } from "../harness/page.js";
import { SOON } from "../harness/patience.js";

/** Records the length of the longest array of numbers that the page's own thread makes. */
function watchArrays() {
  globalThis.longest = 0;
  globalThis.Float32Array = new Proxy(Float32Array, {
    construct(array, values, target) {
      const made = Reflect.construct(array, values, target);
      globalThis.longest = Math.max(globalThis.longest, made.length);
      return made;
    },
  });
}

/** Waits until the page has so many workers. */
async function workers(page, wanted) {
  for (const end = Date.now() + SOON; Date.now() < end; ) {
    if (page.workers().length === wanted) return;
    await page.waitForTimeout(100);
  }
  assert.equal(page.workers().length, wanted, "workers");
}

export const speed = [
  {
    name: "where TensorFlow.js breaks the page says so and measures the crate alone",
    seconds: 180,
    async run(t) {
      const page = await t.open({ beforeWorkers: BREAKS_PEER });
      if (/is not there/.test(await page.textContent("#speed-tfjs"))) {
        t.note = "skipped: TensorFlow.js is not there";
        return;
      }
      await run(page, "#speed", "#speed-start", 170);
      assert.match(await page.textContent("#speed-tfjs"), /failed, so the crate is measured alone: A test broke it|a test broke it/i);
      const cells = await page.$$eval("#speed-table tbody tr", (all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
      assert.equal(cells.length, 3);
      assert.deepEqual(cells.map((row) => row[2]), ["–", "–", "–"]);
    },
  },
  {
    name: "the speed of three jobs is measured, and their results are right",
    seconds: 180,
    async run(t) {
      const page = await t.page();
      await reloadAfter(page, watchArrays);
      await run(page, "#speed", "#speed-start", 170);
      const rows = await page.$$eval("#speed-table tbody tr", (all) =>
        all.map((row) => ({
          op: row.dataset.op,
          ms: Number(row.querySelector("[data-value]").dataset.value),
          note: row.cells[row.cells.length - 1].textContent,
        })),
      );
      assert.deepEqual(rows.map(({ op }) => op), ["matmul", "softmax", "step"]);
      for (const { op, ms, note } of rows) {
        assert.ok(ms > 0 && ms < 60_000, `${op} takes ${ms} ms`);
        assert.doesNotMatch(note, /wrong/i, op);
      }
      const peer = await page.textContent("#speed-tfjs");
      const own = new URL(page.url()).origin;
      assert.deepEqual(page.requests.filter((url) => !/^(data|blob):/.test(url) && new URL(url).origin !== own), []);
      assert.match(peer, /^TensorFlow\.js (\d[\d.]*, WebGPU backend\.|is not there)/);
      const longest = await page.evaluate(() => {
        globalThis.watched = new Float32Array(7);
        return globalThis.longest;
      });
      assert.ok(longest >= 7, "arrays are not watched");
      assert.ok(longest < 100_000, `the page's own thread made an array of ${longest} numbers`);
      // TensorFlow.js would keep its memory on the GPU.
      await workers(page, 1);
      t.note = rows.map(({ op, ms }) => `${op} ${ms.toPrecision(3)} ms`).join(", ");
    },
  },
];
