// The page with the keyboard and with screen readers, and its response while it computes.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { assertSentence, keepMessages, run, set, setDigits, state, toldSince, valueOf } from "../harness/page.js";
import { SOON } from "../harness/patience.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The violations of WCAG 2.2 (levels A and AA) and of good practice that axe-core finds, a line for each element. */
export async function faultsOfAccess(page) {
  await page.evaluate(await readFile(AXE, "utf8"));
  return page.evaluate(async () => {
    const { violations, passes } = await globalThis.axe.run(document, {
      resultTypes: ["violations", "passes"],
      rules: { "target-size": { enabled: true } }, // of WCAG 2.2
    });
    const lines = violations.flatMap(({ id, help, nodes }) => nodes.map(({ target }) => `${id}: ${target}: ${help}`));
    return { lines, rules: passes.length };
  });
}

/** Fills the sections of the digits with content. */
async function fill(page) {
  await setDigits(page, { epochs: 3 });
  await run(page, "#digits", "#digits-start", 60);
  await page.focus("#draw");
  for (const key of ["Space", "ArrowDown", "Space"]) await page.keyboard.press(key);
  await page.waitForSelector('#draw-class:not([data-value=""])', { state: "attached", timeout: SOON });
}

/** Goes through the page with the Tab key from its beginning. Returns what had the focus, and whether that was visible. */
async function tabThrough(page) {
  await page.evaluate(() => {
    document.activeElement?.blur();
    getSelection().collapse(document.body, 0);
  });
  const found = [];
  for (;;) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(() => {
      const one = document.activeElement;
      if (!one || one === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      const name = one.id || one.getAttribute("href") || one.getAttribute("aria-label");
      return { name, seen: outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 1 };
    });
    if (!now || found.some(({ name }) => name === now.name)) return found;
    found.push(now);
  }
}

/**
 * Scrolls each control in turn behind the lower edge of the message, and gives it the focus; in the page. Returns the controls that
 * the message then covers.
 */
async function focusBehindMessage() {
  const message = document.querySelector("#message");
  const drawn = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  await drawn();
  const covered = [];
  let stays = false;
  for (const control of document.querySelectorAll("main button:enabled, main input:enabled, main select, main [tabindex='0']")) {
    document.activeElement.blur();
    scrollBy(0, control.getBoundingClientRect().bottom - message.offsetHeight);
    await drawn();
    stays ||= scrollY > 1000 && message.getBoundingClientRect().bottom > 0;
    control.focus();
    await drawn();
    if (control.getBoundingClientRect().bottom <= message.getBoundingClientRect().bottom) covered.push(control.id || control.ariaLabel);
  }
  return { stays, covered };
}

/** Milliseconds of processor time of the page's own thread so far, so that other programs on this machine do not count. */
async function ownTime(session) {
  const { metrics } = await session.send("Performance.getMetrics");
  return 1000 * metrics.find(({ name }) => name === "TaskDuration").value;
}

export const access = [
  ...[
    ["light", { viewport: { width: 1280, height: 900 } }],
    ["dark", { viewport: { width: 360, height: 740 } }],
  ].map(([colorScheme, shape]) => ({
    name: `axe-core has nothing to say on the page of ${shape.viewport.width} px, ${colorScheme}`,
    seconds: 120,
    async run(t) {
      // axe-core's script is loaded from the tests, not from the page's server.
      const page = await t.open({ settings: { ...shape, colorScheme, bypassCSP: true } });
      const empty = await faultsOfAccess(page);
      await fill(page);
      const filled = await faultsOfAccess(page);
      t.note = `${filled.rules} rules hold`;
      assert.ok(filled.rules > 20, t.note);
      assert.deepEqual([...empty.lines, ...filled.lines], []);
    },
  })),
  {
    name: "the Tab key reaches every control in the order of the page, and shows where it is",
    async run(t) {
      const page = await t.page();
      const wanted = await page.$$eval("a, button, input, select, [tabindex='0']", (all) =>
        all
          .filter((one) => one.getClientRects().length && !one.disabled)
          // In a group of radio buttons, the selected one.
          .filter((one) => one.type !== "radio" || one.checked)
          .map((one) => one.id || one.getAttribute("href") || one.getAttribute("aria-label")),
      );
      const found = await tabThrough(page);
      t.note = `${found.length} controls`;
      assert.deepEqual(found.map(({ name }) => name), wanted);
      assert.deepEqual(found.filter(({ seen }) => !seen), []);
    },
  },
  {
    name: "by keyboard alone a training starts and stops, and a digit is drawn and read",
    seconds: 120,
    async run(t) {
      const page = await t.page();
      await setDigits(page, { epochs: 5000 });
      await page.focus("#digits-epochs");
      await page.keyboard.press("Enter");
      await state(page, "#digits", ["training"], 20);
      await page.waitForSelector("#digits-epoch:not([data-value='0'])", { timeout: SOON });
      await page.focus("#digits-stop");
      await page.keyboard.press("Enter");
      await state(page, "#digits", ["stopped"], 20);
      const focused = await page.evaluate(() => document.activeElement.id);
      assert.ok(["digits-start", "digits-continue"].includes(focused), `the focus is on ${focused || "nothing"}`);
      await setDigits(page, { epochs: 30 });
      await page.waitForTimeout(400); // a key that is pressed sooner was meant for the previous button
      await page.focus("#digits-start");
      await page.keyboard.press("Space");
      await state(page, "#digits", ["training"], 20);
      await state(page, "#digits", ["done"], 90);
      await page.focus("#draw");
      await page.keyboard.press("Delete");
      // A stroke downwards from the cell where the pen begins.
      await page.keyboard.down("Space");
      for (let cell = 0; cell < 11; cell += 1) await page.keyboard.press("ArrowDown");
      await page.keyboard.up("Space");
      await page.waitForSelector('#draw-class[data-value="1"]', { state: "attached", timeout: SOON }).catch(async () => {
        assert.fail(`a stroke downwards is read as ${await page.getAttribute("#draw-class", "data-value")}`);
      });
    },
  },
  {
    name: "a prediction that stays is not read aloud again when the keyboard's cell moves",
    async run(t) {
      const page = await t.page();
      await setDigits(page, { epochs: 3 });
      await run(page, "#digits", "#digits-start", 60);
      await page.focus("#draw");
      await page.keyboard.press("Delete");
      await page.waitForSelector('#draw-class[data-value=""]', { state: "attached", timeout: SOON });
      await page.keyboard.press("Space");
      await page.waitForSelector('#draw-class:not([data-value=""])', { state: "attached", timeout: SOON });
      await page.$eval("#draw-class", (output) => {
        globalThis.heard = { texts: 0, predictions: 0 };
        const count = (name) => (changes) => (globalThis.heard[name] += changes.length);
        new MutationObserver(count("texts")).observe(output, { childList: true, characterData: true, subtree: true });
        new MutationObserver(count("predictions")).observe(output, { attributes: true, attributeFilter: ["data-value"] });
      });
      for (let cell = 0; cell < 5; cell += 1) {
        await page.keyboard.press("ArrowRight");
        await page.waitForTimeout(100);
      }
      await page.waitForFunction(() => globalThis.heard.predictions > 0, null, { timeout: SOON });
      assert.equal(await page.evaluate(() => globalThis.heard.texts), 0, "the text was replaced by an equal one");
    },
  },
  {
    name: "the message covers no control that gets the focus",
    async run(t) {
      // Without motion the page has scrolled at once.
      const page = await t.open({ settings: { viewport: { width: 360, height: 740 }, reducedMotion: "reduce" } });
      await page.$eval("#message", (message) => (message.textContent = "A message of several lines on a narrow window. ".repeat(5)));
      const { stays, covered } = await page.evaluate(focusBehindMessage);
      assert.ok(stays, "the message does not stay in the window, so it shows nothing about this check");
      assert.deepEqual(covered, []);
    },
  },
  {
    name: "what goes wrong is said where readers of screens hear it",
    async run(t) {
      const page = await t.page();
      const live = await page.$eval("#message", (one) => one.closest("[aria-live=polite], [role=alert]") !== null);
      assert.ok(live, "the message is in no live region");
      const right = await page.inputValue("#digits-rate");
      await setDigits(page, { epochs: 3 });
      await run(page, "#digits", "#digits-start", 60);
      const accuracy = await valueOf(page, "#digits-accuracy");
      await keepMessages(page);
      await set(page, "#digits-rate", "-1");
      await page.focus("#digits-rate");
      await page.keyboard.press("Enter");
      assertSentence(await toldSince(page, /rate/, 20), "a rate below 0");
      assert.equal(await page.getAttribute("#digits-rate", "aria-invalid"), "true");
      assert.equal(await valueOf(page, "#digits-accuracy"), accuracy, "what was refused took the curves away");
      await set(page, "#digits-rate", right);
    },
  },
  {
    name: "the page's own thread is free for its visitor while it trains",
    seconds: 60,
    async run(t) {
      const page = await t.page();
      const session = await page.context().newCDPSession(page);
      await session.send("Performance.enable", { timeDomain: "threadTicks" });
      await setDigits(page, { epochs: 5000 });
      await page.$eval("#digits-epoch", (one) => (one.dataset.value = "0")); // of another training
      await page.click("#digits-start");
      await page.waitForSelector("#digits-epoch:not([data-value='0'])", { timeout: SOON, state: "attached" });
      const first = await valueOf(page, "#digits-epoch");
      const [began, before] = [performance.now(), await ownTime(session)];
      await page.waitForTimeout(5000);
      const share = ((await ownTime(session)) - before) / (performance.now() - began);
      const epochs = (await valueOf(page, "#digits-epoch")) - first;
      await page.click("#digits-stop");
      await state(page, "#digits", ["stopped"], 20);
      t.note = `${(100 * share).toFixed(0)} % of it taken over ${epochs} epochs`;
      assert.ok(epochs > 0, "nothing was trained");
      assert.ok(share > 0 && share < 0.5, t.note);
    },
  },
];
