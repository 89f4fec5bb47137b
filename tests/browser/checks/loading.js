// The opening of the page, with WebGPU and without.

import assert from "node:assert/strict";
import { BREAKS_OVER_GPU, HIDDEN, SILENT, WITHOUT_WASM } from "../harness/accounting.js";
import { assertSentence, keepMessages, reloadAfter, run, setDigits, state, toldSince, valueOf } from "../harness/page.js";
import { SOON } from "../harness/patience.js";

// Elements that the page must have. These checks and others rely on the names.
const IDS = `
  message device-name device-kind device-reason use-gpu use-cpu digits digits-layers digits-optimizer digits-rate
  digits-batch digits-epochs digits-start digits-stop digits-continue digits-accuracy digits-epoch digits-curves
  digits-confusion digits-misread draw draw-clear draw-class draw-bars spiral spiral-start spiral-stop
  spiral-accuracy spiral-regions parity parity-start parity-progress parity-cases parity-failures parity-table
  parity-save parity-stop speed speed-start speed-stop speed-table speed-tfjs model-save model-load model-status
`
  .trim()
  .split(/\s+/);

const trainsOnCpu = async (page) => {
  assert.equal(await page.getAttribute("body", "data-ready"), "true");
  assert.equal(await page.getAttribute("body", "data-device"), "cpu");
  assert.ok(await page.isChecked("#use-cpu"), "the CPU is not the chosen device");
  for (const id of ["#message", "#device-reason"]) {
    const why = await page.textContent(id);
    assertSentence(why, `why the CPU is taken, in ${id}`);
    assert.match(why, /no (WebGPU|GPU|adapter)/i, id);
  }
  await setDigits(page, { epochs: 10 });
  await run(page, "#digits", "#digits-start", 60);
  const accuracy = await valueOf(page, "#digits-accuracy");
  assert.ok(accuracy > 0.9, `accuracy ${accuracy} on the CPU path`);
  return accuracy;
};

export const onGpu = [
  {
    name: "the page loads without an error in its console, and from its own server alone",
    async run(t) {
      const page = await t.open();
      assert.equal(await page.getAttribute("body", "data-ready"), "true", await page.textContent("#message"));
      assert.equal(await page.getAttribute("body", "data-device"), "gpu", await page.textContent("#device-reason"));
      assert.ok(await page.isChecked("#use-gpu"));
      assert.notEqual((await page.textContent("#device-name")).trim(), "");
      assert.notEqual((await page.textContent("#device-kind")).trim(), "");
      const own = new URL(page.url()).origin;
      const foreign = page.requests.filter((url) => !/^(data|blob):/.test(url) && new URL(url).origin !== own);
      assert.deepEqual(foreign, []);
      await page.waitForTimeout(500); // for late messages
      t.note = `${await page.textContent("#device-name")}, ${await page.textContent("#device-kind")}`;
    },
  },
  {
    name: "the page has every part once",
    async run(t) {
      const page = await t.page();
      const counts = await page.evaluate(
        (ids) => ids.map((id) => [id, document.querySelectorAll(`[id="${id}"]`).length]),
        IDS,
      );
      assert.deepEqual(counts.filter(([, count]) => count !== 1), []);
    },
  },
  {
    name: "the device can be changed to the CPU and back, and each trains",
    seconds: 120,
    async run(t) {
      const page = await t.page();
      for (const kind of ["cpu", "gpu"]) {
        await page.check(`#use-${kind}`);
        await page.waitForSelector(`body[data-device=${kind}]`, { timeout: SOON });
        await setDigits(page, { epochs: 3 });
        await run(page, "#digits", "#digits-start", 60);
        const accuracy = await valueOf(page, "#digits-accuracy");
        assert.ok(accuracy > 0.5, `accuracy ${accuracy} on ${kind}`);
      }
    },
  },
  {
    name: "a change of the device ends a verification and a measurement",
    seconds: 120,
    async run(t) {
      const page = await t.page();
      for (const [section, kind, begun, told] of [
        ["parity", "cpu", /^Verifying/, /verification was stopped/],
        ["speed", "gpu", /^Measuring/, /measurement was stopped/],
      ]) {
        await keepMessages(page);
        await page.click(`#${section}-start`);
        await toldSince(page, begun, 40); // TensorFlow.js starts first, if it is installed
        await page.evaluate((kind) => globalThis.wgpuMlp.openDevice(kind), kind);
        assert.equal(await page.getAttribute("body", "data-device"), kind);
        assertSentence(await toldSince(page, told, 5), `a change of the device in section ${section}`);
        await state(page, `#${section}`, ["stopped"], 5);
      }
    },
  },
  {
    name: "a verification and a measurement stop when they are told to",
    seconds: 120,
    async run(t) {
      t.mayComplain(/not loaded: .*tfjs/); // TensorFlow.js may still be loading
      const page = await t.page();
      await keepMessages(page);
      for (const [section, told] of [
        ["parity", /verification was stopped/],
        ["speed", /measurement was stopped/],
      ]) {
        await page.click(`#${section}-start`);
        await state(page, `#${section}`, ["running"], 10);
        await page.click(`#${section}-stop`);
        await state(page, `#${section}`, ["stopped"], 20);
        assertSentence(await toldSince(page, told, 5), `the stop of section ${section}`);
        assert.ok(await page.isEnabled(`#${section}-start`), `${section} cannot be started again`);
      }
      assert.doesNotMatch(await page.textContent("#speed-tfjs"), /does not start/, "the stop is told as a fault of TensorFlow.js");
    },
  },
  {
    name: "a training that is asked for while the device changes runs on the new one",
    seconds: 60,
    async run(t) {
      const page = await t.page();
      const dispatches = await page.evaluate(async () => {
        const { wgpuMlp } = globalThis;
        await wgpuMlp.openDevice("cpu");
        const opened = wgpuMlp.openDevice("gpu");
        await wgpuMlp.train({ epochs: 1 });
        await opened;
        return (await wgpuMlp.heap()).counters.dispatches;
      });
      assert.ok(dispatches > 50, `the new device was given ${dispatches} dispatches`);
    },
  },
];

/** Records all texts of the page's message from the beginning of the page on. */
function keepFirstMessages() {
  globalThis.messages = [];
  const keep = () => {
    const text = document.getElementById("message")?.textContent.trim();
    if (text && text !== globalThis.messages.at(-1)) globalThis.messages.push(text);
  };
  new MutationObserver(keep).observe(document, { childList: true, characterData: true, subtree: true });
}

export const slow = {
  name: "while the module loads the page says so, and no longer that it was opened as a file",
  async run(t) {
    const page = await t.open();
    await reloadAfter(page, keepFirstMessages);
    const messages = await page.evaluate(() => globalThis.messages);
    const loading = messages.findIndex((text) => /being loaded/.test(text));
    const ready = messages.findIndex((text) => /GPU|Ready/.test(text));
    assert.ok(loading >= 0 && loading < ready, JSON.stringify(messages));
    assert.doesNotMatch(messages[loading], /as a file/);
  },
};

/** Visitors wait for the module, so it may have at most three million bytes. */
const LARGEST = 3_000_000;

export const size = {
  name: "the page's module has at most 3 MB, packed",
  async run(t) {
    const page = await t.page();
    const bytes = await page.evaluate(async () => {
      const module = await (await fetch("wgpu_mlp_page_bg.wasm")).blob();
      return (await new Response(module.stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer()).byteLength;
    });
    t.note = `${bytes} bytes`;
    assert.ok(bytes > 100_000 && bytes <= LARGEST, `${bytes} bytes`);
  },
};

export const withoutAdapter = [
  {
    name: "where WebGPU has no adapter the page says so and works on the CPU path",
    seconds: 120,
    async run(t) {
      t.note = `accuracy ${await trainsOnCpu(await t.page())}`;
    },
  },
  {
    name: "asked for a GPU that is not there, the page says so and stays on the CPU path",
    async run(t) {
      const page = await t.page();
      await keepMessages(page);
      await page.click("#use-gpu", { timeout: SOON });
      const told = await toldSince(page, /no (GPU|adapter)/, 20);
      assertSentence(told, "why there is no GPU");
      assert.match(told, /hardware acceleration/i, "what to do about it");
      await page.waitForSelector("body[data-device=cpu]", { timeout: SOON });
      assert.ok(await page.isChecked("#use-cpu"), "the CPU is not the chosen device");
    },
  },
  {
    name: "where the browser has no WebGPU at all the page says so and works on the CPU path",
    seconds: 120,
    async run(t) {
      t.note = `accuracy ${await trainsOnCpu(await t.open({ hideWebGpu: true, beforeWorkers: HIDDEN }))}`;
    },
  },
];

export const failing = [
  {
    name: "where the browser has no WebAssembly the page says so, and offers nothing that needs it",
    async run(t) {
      const page = await t.open({ beforeWorkers: WITHOUT_WASM });
      assert.equal(await page.getAttribute("body", "data-ready"), "failed");
      const told = await page.textContent("#message");
      assertSentence(told, "a browser without WebAssembly");
      assert.match(told, /has no WebAssembly/);
      const offered = await page.$$eval("main button:enabled, main input[type=radio]:enabled", (all) => all.map((one) => one.id));
      assert.deepEqual(offered, ["draw-clear"]);
    },
  },
  {
    name: "where the module breaks over the GPU the page says so and works on the CPU path",
    seconds: 120,
    async run(t) {
      const page = await t.open({ beforeWorkers: BREAKS_OVER_GPU });
      await page.waitForSelector("body[data-device=cpu]", { timeout: SOON });
      const told = await page.textContent("#message");
      assertSentence(told, "what broke");
      assert.match(told, /started anew.*a test broke it/);
      assert.match(await page.textContent("#device-reason"), /a test broke it/i);
      await setDigits(page, { epochs: 10 });
      await run(page, "#digits", "#digits-start", 60);
      assert.ok((await valueOf(page, "#digits-accuracy")) > 0.9);
    },
  },
  {
    name: "where the browser never answers about a GPU the page says so after half a minute and works on the CPU path",
    seconds: 200,
    async run(t) {
      const page = await t.open({ beforeWorkers: SILENT });
      await page.waitForSelector("body[data-device=cpu]", { timeout: SOON });
      assert.match(await page.textContent("#message"), /no answer about a GPU/);
      // A second attempt, which the visitor cancels before it has failed.
      await keepMessages(page);
      await page.click("#use-gpu");
      await page.click("#use-cpu");
      await toldSince(page, /no answer about a GPU/, 60);
      await page.waitForFunction(() => document.querySelector("#use-cpu").checked, null, { timeout: SOON });
      await setDigits(page, { epochs: 10 });
      await run(page, "#digits", "#digits-start", 60);
      assert.ok((await valueOf(page, "#digits-accuracy")) > 0.9);
    },
  },
];

export const cold = [
  {
    name: "the first step is reported soon after the click, in a browser that has run nothing before",
    async run(t) {
      const page = await t.page();
      const took = await page.evaluate(
        () =>
          new Promise((resolve) => {
            const clicked = performance.now();
            const tell = () => resolve(performance.now() - clicked);
            const watched = { childList: true, characterData: true, attributes: true, subtree: true };
            for (const id of ["digits-epoch", "digits-accuracy"]) {
              const before = document.getElementById(id).textContent;
              new MutationObserver(() => {
                const now = document.getElementById(id).textContent;
                if (now !== before && /[1-9]/.test(now)) tell();
              }).observe(document.getElementById(id), watched);
            }
            document.getElementById("digits-start").click();
          }),
      );
      t.note = `${(took / 1000).toFixed(2)} s`;
      // The goal is three seconds if nothing else runs; benches/browser.md reports that. Here other tests run at the same time.
      assert.ok(took < 15_000, `${took.toFixed(0)} ms`);
      await page.click("#digits-stop");
      await state(page, "#digits", ["stopped", "done"], 20);
    },
  },
];
