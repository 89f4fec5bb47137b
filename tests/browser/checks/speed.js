// The page's measurements. Speed depends on the machine, so these checks do not test it.

import assert from "node:assert/strict";
import { BREAKS_PEER } from "../harness/accounting.js";
import { run } from "../harness/page.js";

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
      t.note = rows.map(({ op, ms }) => `${op} ${ms.toPrecision(3)} ms`).join(", ");
    },
  },
];
