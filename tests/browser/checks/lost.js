// A device that is lost while the page is idle, and while it trains; and one that is short of memory.

import assert from "node:assert/strict";
import { loseDevice, shortOfMemory } from "../harness/accounting.js";
import { assertSentence, keepMessages, run, setDigits, state, toldSince, valueOf } from "../harness/page.js";

async function worksAgain(page) {
  await page.evaluate(() => globalThis.wgpuMlp.openDevice("gpu"));
  await page.waitForSelector("body[data-device=gpu]", { timeout: 20_000 });
  await setDigits(page, { epochs: 3 });
  await run(page, "#digits", "#digits-start", 60);
  const accuracy = await valueOf(page, "#digits-accuracy");
  assert.ok(accuracy > 0.5, `accuracy ${accuracy} after the device was opened again`);
}

export const lost = [
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
    name: "a device that is lost while nothing runs is told when it is needed, and can be opened again",
    seconds: 120,
    async run(t) {
      const page = await t.page();
      t.mayComplain(/device|lost/i);
      await setDigits(page, { epochs: 2 });
      await run(page, "#digits", "#digits-start", 60);
      await keepMessages(page);
      assert.equal(await loseDevice(page), 1, "the page has not one device open");
      // It may be told at once, or by the next thing that needs the device.
      await page.waitForTimeout(300);
      if (await page.isEnabled("#digits-start")) await page.click("#digits-start");
      assertSentence(await toldSince(page, /lost|gone/, 15), "a lost device");
      await state(page, "#digits", ["done", "stopped", "failed", "idle"], 60);
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
      await page.waitForFunction(ended, null, { timeout: 20_000 });
      assertSentence(await toldSince(page, /lost|gone/, 5), "a lost device");
      await page.check("#use-cpu");
      await page.waitForSelector("body[data-device=cpu]", { timeout: 20_000 });
      await setDigits(page, { epochs: 3 });
      await run(page, "#digits", "#digits-start", 60);
      await worksAgain(page);
    },
  },
];
