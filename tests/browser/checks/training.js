// Training on the page: digits, drawing, the spiral, and other actions during a training.

import assert from "node:assert/strict";
import { assertSentence, colours, draw, run, set, setDigits, state, valueOf } from "../harness/page.js";
import { SOON } from "../harness/patience.js";

// Digits as a hand draws them into the unit square; those of the data fill 8 x 8 pixels from top to bottom.
const arc = (x, y, across, down, from, to, points = 24) =>
  Array.from({ length: points + 1 }, (_, index) => {
    const angle = ((from + ((to - from) * index) / points) * Math.PI) / 180;
    return [x + across * Math.cos(angle), y + down * Math.sin(angle)];
  });
const DRAWN = {
  7: [
    [
      [0.25, 0.15],
      [0.75, 0.15],
      [0.45, 0.88],
    ],
  ],
  0: [arc(0.5, 0.5, 0.24, 0.38, -90, 270)],
  1: [
    [
      [0.4, 0.25],
      [0.54, 0.12],
      [0.54, 0.88],
    ],
  ],
  3: [[...arc(0.45, 0.31, 0.22, 0.19, -150, 90), ...arc(0.45, 0.69, 0.24, 0.19, -90, 150)]],
};

/** The shared page, with a network. If an earlier check has failed, it is a new page, whose network has not learned anything yet. */
async function trained(t) {
  const page = await t.page();
  if ((await page.getAttribute("#digits", "data-state")) !== "done") await run(page, "#digits", "#digits-start", 50);
  return page;
}

/** The number of pixels below the legends of both curves in the colour of the training's line, and in that of the digits held out. */
const pixelsOfLines = (page) =>
  page.$eval("#digits-curves", (canvas) => {
    const legends = Math.ceil((canvas.height / canvas.clientHeight) * 24);
    const { data } = canvas.getContext("2d").getImageData(0, legends, canvas.width, canvas.height - legends);
    return ["--a", "--b"].map((name) => {
      const hex = parseInt(getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1), 16);
      const wanted = [hex >> 16, (hex >> 8) & 255, hex & 255, 255];
      let found = 0;
      for (let at = 0; at < data.length; at += 4) found += wanted.every((part, index) => Math.abs(data[at + index] - part) <= 2);
      return found;
    });
  });

export const digits = [
  {
    name: "digits reach 97 % on the GPU with what the page offers first",
    seconds: 180,
    async run(t) {
      const page = await t.page();
      await run(page, "#digits", "#digits-start", 170);
      const accuracy = await valueOf(page, "#digits-accuracy");
      t.note = `${(100 * accuracy).toFixed(2)} %`;
      assert.ok(accuracy >= 0.97 && accuracy <= 1, `accuracy ${accuracy}`);
      assert.equal(await page.getAttribute("body", "data-device"), "gpu");
    },
  },
  {
    name: "the curves, the confusion matrix and the misread digits are drawn",
    async run(t) {
      const page = await trained(t);
      for (const found of await pixelsOfLines(page)) assert.ok(found >= 20, `a curve has ${found} pixels`);
      // The matrix is asked for again when the training has ended.
      const right = Math.round(360 * (await valueOf(page, "#digits-accuracy")));
      const told = (id) => page.getAttribute(id, "aria-label");
      const drawn = (right) => document.querySelector("#digits-confusion").ariaLabel.startsWith(`${right} of 360 `);
      await page.waitForFunction(drawn, right, { timeout: SOON }).catch(async () => {
        assert.fail(`${right} digits are read correctly, and the matrix says: ${await told("#digits-confusion")}`);
      });
      assert.match(await told("#digits-misread"), right === 360 ? /^Every digit/ : new RegExp(`^${360 - right} digits`));
      const matrix = await colours(page, "#digits-confusion");
      assert.ok(matrix >= 3, `the matrix has ${matrix} colours`);
      const misread = await colours(page, "#digits-misread");
      assert.ok(misread >= 2 || right === 360, "#digits-misread is blank");
    },
  },
  ...Object.keys(DRAWN).map((digit) => ({
    name: `a drawn ${digit} is read as ${digit}`,
    async run(t) {
      const page = await trained(t);
      await draw(page, DRAWN[digit]);
      await page
        .waitForSelector(`#draw-class[data-value="${digit}"]`, { timeout: SOON, state: "attached" })
        .catch(async () => {
          assert.fail(`it is read as ${await page.getAttribute("#draw-class", "data-value")}`);
        });
    },
  })),
  {
    name: "a digit drawn by finger is read",
    seconds: 90,
    async run(t) {
      const page = await t.open({ settings: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true } });
      await run(page, "#digits", "#digits-start", 60);
      await page.locator("#draw").scrollIntoViewIfNeeded();
      const box = await page.locator("#draw").boundingBox();
      const session = await page.context().newCDPSession(page);
      const touch = (type, points) =>
        session.send("Input.dispatchTouchEvent", {
          type,
          touchPoints: points.map(([x, y]) => ({ x: box.x + x * box.width, y: box.y + y * box.height })),
        });
      const [stroke] = DRAWN[7];
      await touch("touchStart", [stroke[0]]);
      for (let leg = 1; leg < stroke.length; leg += 1) {
        for (let step = 1; step <= 8; step += 1) {
          const at = [0, 1].map((axis) => stroke[leg - 1][axis] + ((stroke[leg][axis] - stroke[leg - 1][axis]) * step) / 8);
          await touch("touchMove", [at]);
        }
      }
      await touch("touchEnd", []);
      await page.waitForSelector('#draw-class[data-value="7"]', { timeout: SOON, state: "attached" }).catch(async () => {
        assert.fail(`it is read as ${await page.getAttribute("#draw-class", "data-value")}`);
      });
    },
  },
  {
    name: "a cleared drawing is read as nothing",
    async run(t) {
      const page = await trained(t);
      await draw(page, DRAWN[7]);
      await page.waitForFunction(() => document.querySelector("#draw-class").dataset.value, null, { timeout: SOON });
      await page.click("#draw-clear");
      await page.waitForFunction(() => !document.querySelector("#draw-class").dataset.value, null, { timeout: SOON });
    },
  },
  {
    name: "a training stops when it is told to, and goes on from there",
    seconds: 90,
    async run(t) {
      const page = await t.page();
      const epoch = async () => Number((await page.textContent("#digits-epoch")).match(/\d+/)?.[0] ?? NaN);
      await setDigits(page, { epochs: 1000 });
      await page.$eval("#digits-epoch", (one) => (one.textContent = "0")); // of the previous training
      await page.click("#digits-start");
      await state(page, "#digits", ["training"], 10);
      await page.waitForFunction(
        () => Number(document.querySelector("#digits-epoch").textContent.match(/\d+/)?.[0]) >= 2,
        null,
        { timeout: SOON },
      );
      await page.click("#digits-stop");
      await state(page, "#digits", ["stopped"], 10);
      const at = await epoch();
      await page.waitForTimeout(700);
      assert.equal(await epoch(), at, "it went on after it was stopped");
      await page.$eval("#digits-epoch", (output) => {
        globalThis.epochs = [];
        const keep = () => globalThis.epochs.push(Number(output.textContent.match(/\d+/)?.[0]));
        new MutationObserver(keep).observe(output, { childList: true, characterData: true, subtree: true });
      });
      await page.click("#digits-continue");
      await state(page, "#digits", ["training"], 10);
      await page.waitForFunction(() => globalThis.epochs.length >= 2, null, { timeout: SOON });
      const epochs = await page.evaluate(() => globalThis.epochs);
      assert.ok(epochs[0] > at && epochs[0] <= at + 2, `stopped at epoch ${at}, it went on with ${epochs}`);
      await page.click("#digits-stop");
      await state(page, "#digits", ["stopped"], 10);
    },
  },
  {
    name: "every optimizer that the page offers trains",
    seconds: 180,
    async run(t) {
      const page = await t.page();
      const offered = await page.$$eval("#digits-optimizer option", (all) => all.map((one) => one.value));
      assert.ok(offered.length >= 2, `it offers ${offered}`);
      const rate = await page.inputValue("#digits-rate");
      for (const optimizer of offered) {
        await page.selectOption("#digits-optimizer", optimizer);
        await setDigits(page, { epochs: 3, rate: 0.01 });
        await run(page, "#digits", "#digits-start", 60);
        const accuracy = await valueOf(page, "#digits-accuracy");
        assert.ok(accuracy > 0.3, `accuracy ${accuracy} with ${optimizer}`);
      }
      await setDigits(page, { rate });
      t.note = offered.join(", ");
    },
  },
  {
    name: "the spiral is learned and its regions are drawn",
    seconds: 120,
    async run(t) {
      const page = await t.page();
      // Each picture of the regions that differs from the one before is kept as a number.
      await page.evaluate(() => {
        const canvas = document.querySelector("#spiral-regions");
        globalThis.pictures = new Set();
        globalThis.pictureTimer = setInterval(() => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const words = new Uint32Array(data.buffer);
          let sum = 0;
          for (let at = 0; at < words.length; at += 7) sum = (Math.imul(sum, 31) + words[at]) >>> 0;
          globalThis.pictures.add(sum);
        }, 100);
      });
      await run(page, "#spiral", "#spiral-start", 110);
      const pictures = await page.evaluate(() => (clearInterval(globalThis.pictureTimer), globalThis.pictures.size));
      assert.ok(pictures >= 4, `${pictures} pictures of the regions were drawn while it learned`);
      const accuracy = await valueOf(page, "#spiral-accuracy");
      t.note = `${(100 * accuracy).toFixed(2)} %`;
      assert.ok(accuracy > 0.9 && accuracy <= 1, `accuracy ${accuracy}`);
      assert.ok((await colours(page, "#spiral-regions")) >= 3, "the regions are blank");
    },
  },
  {
    name: "the spiral's training stops when it is told to",
    async run(t) {
      const page = await t.page();
      await page.click("#spiral-start");
      await state(page, "#spiral", ["training"], 10);
      await page.click("#spiral-stop");
      await state(page, "#spiral", ["stopped"], 20);
    },
  },
];

// Each field with a wrong value; the first is a typing error.
const WRONG = {
  layers: ["abc", "0", "-3", "1.5", "1e99", "99999999999", "32 16 x"],
  rate: ["", "-1", "0", "1e60", "NaN"],
  batch: ["", "0", "-1", "1.5", "1e30"],
  epochs: ["", "0", "-1", "2.5", "1e30"],
};

export const badInput = Object.entries(WRONG).map(([name, values]) => ({
  name: `what is wrong in the field for ${name} is told in a sentence, and the page works on`,
  seconds: 90,
  async run(t) {
    const page = await t.page();
    const id = `#digits-${name}`;
    const right = await page.inputValue(id);
    for (const value of values) {
      await set(page, id, value);
      const entered = await page.inputValue(id);
      await page.$eval("#message", (message) => (message.textContent = ""));
      await page.click("#digits-start", { timeout: SOON });
      const told = await page
        .waitForFunction(
          (id) => {
            const section = document.querySelector("#digits").dataset.state;
            const alerts = [...document.querySelectorAll("#message, [role=alert], .error")];
            const texts = alerts.filter((one) => one.getClientRects().length).map((one) => one.textContent);
            const text = texts.join(" ").trim() || document.querySelector(id).validationMessage;
            return section !== "training" && text ? text : false;
          },
          id,
          { timeout: SOON },
        )
        .catch(async () => {
          const section = await page.getAttribute("#digits", "data-state");
          assert.fail(`${JSON.stringify(entered)} (of ${JSON.stringify(value)}): ${section}, and nothing is said`);
        });
      const text = await told.jsonValue();
      assertSentence(text, `${name} ${JSON.stringify(value)}`);
      assert.doesNotMatch(text, /^(Done|Ready|Training)/, `${JSON.stringify(value)} was taken`);
      await set(page, id, right);
    }
    await setDigits(page, { epochs: 2 });
    await run(page, "#digits", "#digits-start", 40);
  },
}));
