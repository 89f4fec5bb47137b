// The parity report: every op of the crate against its reference, on the browser's WebGPU.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { run, valueOf } from "../harness/page.js";
import { faultsOfAccess } from "./access.js";

export const parity = [
  {
    name: "the parity report has no failure in more than 300 cases",
    seconds: 420,
    async run(t) {
      const page = await t.page();
      await run(page, "#parity", "#parity-start", 410);
      const cases = await valueOf(page, "#parity-cases");
      const failures = await valueOf(page, "#parity-failures");
      t.note = `${cases} cases`;
      assert.equal(failures, 0, await page.textContent("#parity-table"));
      assert.ok(cases > 300, `${cases} cases`);
      const rows = await page.locator("#parity-table tbody tr").count();
      assert.ok(rows > 15, `${rows} rows in the table`);
      assert.match(await page.textContent("#parity-case"), /^\w+ \d+x\d+/, "the case is not named");
    },
  },
  {
    name: "the saved report says the same and passes",
    async run(t) {
      const page = await t.page();
      assert.equal(await page.getAttribute("#parity", "data-state"), "done", "there is no report");
      const [download] = await Promise.all([page.waitForEvent("download"), page.click("#parity-save")]);
      const report = JSON.parse(await readFile(await download.path(), "utf8"));
      const sum = (name) => report.rows.reduce((sum, row) => sum + row[name], 0);
      assert.equal(sum("cases"), await valueOf(page, "#parity-cases"));
      assert.equal(sum("failed"), 0);
      for (const row of report.rows) {
        assert.ok(row.share <= 1, `${row.op} has a share of ${row.share}`);
        assert.deepEqual(row.over, [], row.op);
        assert.equal(row.ran.length, row.cases, row.op);
      }
      assert.equal(report.device.backend, "webgpu");
      assert.equal(report.device.name, await page.textContent("#device-name"));
      assert.ok(report.variants.length > 100, `${report.variants.length} variants`);
      assert.equal(report.variants.length, report.possible_variants, "some variants did not run");
      t.note = `${report.rows.length} ops, ${report.variants.length} of ${report.possible_variants} variants`;
    },
  },
  {
    name: "axe-core has nothing to say on the report either",
    async run(t) {
      const page = await t.page();
      const { lines, rules } = await faultsOfAccess(page);
      t.note = `${rules} rules hold`;
      assert.ok((await page.$$("#parity-table tbody tr")).length > 30, "there is no report");
      assert.deepEqual(lines, []);
    },
  },
];
