// A module that breaks; a device that is lost while the page is idle, and while it trains; and a device without enough memory.

import assert from "node:assert/strict";
import { breakModule, DYING, gpuAccounts, loseDevice, shortOfMemory } from "../harness/accounting.js";
import { assertSentence, keepMessages, probabilities, run, setDigits, someRows, state, toldSince, valueOf } from "../harness/page.js";
import { SOON } from "../harness/patience.js";

async function worksAgain(page) {
  await setDigits(page, { epochs: 3 });
  await run(page, "#digits", "#digits-start", 60);
  const accuracy = await valueOf(page, "#digits-accuracy");
  assert.ok(accuracy > 0.5, `accuracy ${accuracy} after the device was opened again`);
}

export const lost = [
  {
    name: "a module that breaks is started anew, with the network as it was after its training",
    seconds: 120,
    async run(t) {
      const page = await t.page();
      await setDigits(page, { epochs: 3 });
      await run(page, "#digits", "#digits-start", 60);
      const rows = someRows(5);
      const before = await probabilities(page, rows);
      await keepMessages(page);
      await breakModule(page);
      assertSentence(await toldSince(page, /was started anew, with the digits' network/, 30), "a module that broke");
      assert.deepEqual(await probabilities(page, rows), before);
      assert.equal(await page.getAttribute("body", "data-device"), "gpu");
      await worksAgain(page);
    },
  },
  {
    name: "where no new module can be loaded in the place of one that breaks, the page says so and offers nothing",
    seconds: 60,
    async run(t) {
      const page = await t.open();
      t.mayComplain(/worker\.js/);
      await page.route("**/worker.js", (route) => route.abort());
      await breakModule(page);
      await page.waitForSelector("body[data-ready=failed]", { timeout: SOON });
      const told = await page.textContent("#message");
      assertSentence(told, "a page without a module");
      assert.match(told, /cannot go on/);
      const offered = await page.$$eval("main button:enabled, main input[type=radio]:enabled", (all) => all.map((one) => one.id));
      assert.deepEqual(offered, ["draw-clear"]);
    },
  },
  {
    name: "a matrix for which the browser has no memory is told of, and the next training has what it needs",
    seconds: 120,
    async run(t) {
      const page = await t.page();
      t.mayComplain(/memory|rejected|destroyed|Unwritten/i);
      await setDigits(page, { layers: "77", epochs: 3 });
      await keepMessages(page);
      await shortOfMemory(page);
      await page.click("#digits-start");
      assertSentence(await toldSince(page, /memory/, 30), "a device without memory");
      await state(page, "#digits", ["failed", "stopped", "idle"], 30);
      await setDigits(page, { layers: "77", epochs: 5 });
      await run(page, "#digits", "#digits-start", 60);
      const accuracy = await valueOf(page, "#digits-accuracy");
      assert.ok(accuracy > 0.8, `accuracy ${accuracy} after memory was short`);
    },
  },
  {
    name: "in the place of a device that is lost while nothing runs the page opens another with the same network, and says so",
    seconds: 120,
    async run(t) {
      const page = await t.page();
      t.mayComplain(/device|lost/i);
      await setDigits(page, { epochs: 2 });
      await run(page, "#digits", "#digits-start", 60);
      const rows = someRows(5);
      const before = await probabilities(page, rows);
      await keepMessages(page);
      assert.equal(await loseDevice(page), 1, "the page has not one device open");
      assertSentence(await toldSince(page, /lost/, 15), "a lost device");
      assertSentence(await toldSince(page, /a new one is open;/, 20), "another device");
      assert.equal((await gpuAccounts(page)).devices, 1, "one device is open");
      assert.deepEqual(await probabilities(page, rows), before, "the network is another one");
      await worksAgain(page);
    },
  },
  {
    name: "where every device is lost soon after it was opened the page ends on the CPU path, and says so",
    seconds: 90,
    async run(t) {
      t.mayComplain(/device|lost/i);
      const page = await t.open({ beforeWorkers: DYING });
      await page.waitForSelector("body[data-device=cpu]", { timeout: SOON });
      const told = await page.textContent("#message");
      assertSentence(told, "a device that is lost again and again");
      assert.match(told, /lost.*times within a minute/);
      assert.match(await page.textContent("#device-reason"), /lost 4 times/);
      await page.waitForTimeout(1000);
      assert.equal(await page.getAttribute("body", "data-device"), "cpu", "a GPU was opened once more");
      await worksAgain(page);
    },
  },
  {
    name: "a device that is lost in a training is told, and the page recovers through the choice of devices",
    seconds: 150,
    async run(t) {
      const page = await t.page();
      t.mayComplain(/device|lost/i);
      await setDigits(page, { epochs: 5000 });
      await page.click("#digits-start");
      await state(page, "#digits", ["training"], 20);
      await page.waitForTimeout(500);
      await keepMessages(page);
      assert.equal(await loseDevice(page), 1, "the page has not one device open");
      const ended = () => ["failed", "stopped", "idle"].includes(document.querySelector("#digits").dataset.state);
      await page.waitForFunction(ended, null, { timeout: SOON });
      assertSentence(await toldSince(page, /lost|gone/, 5), "a lost device");
      await toldSince(page, /a new one is open;/, 20);
      await page.check("#use-cpu");
      await page.waitForSelector("body[data-device=cpu]", { timeout: SOON });
      await setDigits(page, { epochs: 3 });
      await run(page, "#digits", "#digits-start", 60);
      await page.check("#use-gpu");
      await page.waitForSelector("body[data-device=gpu]", { timeout: SOON });
      await worksAgain(page);
    },
  },
];
