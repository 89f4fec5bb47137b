// Actions of the checks on the page, by its ids and states.

import assert from "node:assert/strict";
import { PATIENCE, SOON } from "./patience.js";

/** The number in an element's `data-value`; NaN if it has none. */
export async function valueOf(page, id) {
  const value = await page.getAttribute(id, "data-value");
  return value === null || value === "" ? NaN : Number(value);
}

/** The page's messages: the main message, and in each section the alerts that are shown. */
export async function said(page) {
  const texts = await page.$$eval("#message, [role=alert], [role=status], .error, #model-status", (all) =>
    all.filter((one) => one.getClientRects().length).map((one) => one.textContent.trim()),
  );
  return texts.filter(Boolean).join(" | ");
}

/** Records all texts of the page's message from now on, for `toldSince`, because texts may follow each other at once. */
export async function keepMessages(page) {
  await page.$eval("#message", (message) => {
    globalThis.messages = [];
    const keep = () => globalThis.messages.push(message.textContent.trim());
    new MutationObserver(keep).observe(message, { childList: true, characterData: true, subtree: true });
  });
}

/** Waits until the message has had a text that matches, and returns the text. */
export async function toldSince(page, pattern, seconds) {
  const found = await page
    .waitForFunction(
      (source) => globalThis.messages.find((text) => new RegExp(source, "i").test(text)) ?? false,
      pattern.source,
      { timeout: seconds * 1000 * PATIENCE, polling: 50 },
    )
    .catch(async () => {
      const said = await page.evaluate(() => globalThis.messages);
      assert.fail(`nothing like ${pattern} was said within ${seconds * PATIENCE} s, but ${JSON.stringify(said)}`);
    });
  return found.jsonValue();
}

/** Waits until a section has one of these states. Fails at once if the state is `failed` and that is not one of them. */
export async function state(page, id, wanted, seconds) {
  const found = await page.waitForFunction(
    ([id, wanted]) => {
      const now = document.querySelector(id)?.dataset.state;
      return wanted.includes(now) || now === "failed" ? (now ?? "none") : false;
    },
    [id, wanted],
    { timeout: seconds * 1000 * PATIENCE, polling: 50 },
  );
  const now = await found.jsonValue();
  assert.ok(wanted.includes(now), `${id} is ${now} and not ${wanted.join(" or ")}; the page says: ${await said(page)}`);
  return now;
}

/** Clicks, and waits for the resulting state. A state is new if the page has set it after the click. */
export async function run(page, section, button, seconds, wanted = ["done"]) {
  await page.$eval(section, (element) => {
    element.changes = 0;
    const observer = new MutationObserver(() => (element.changes += 1));
    observer.observe(element, { attributes: true, attributeFilter: ["data-state"] });
  });
  await page.click(button);
  await page.waitForFunction((section) => document.querySelector(section).changes > 0, section, {
    timeout: SOON,
    polling: 20,
  });
  return state(page, section, wanted, seconds);
}

/** Loads the page again, with a script that runs before its own. */
export async function reloadAfter(page, script) {
  await page.addInitScript(script);
  await page.reload();
  await page.waitForSelector("body[data-ready=true]", { timeout: SOON });
}

/** Sets inputs and selects; the values' names are the ids without `#digits-`. */
export async function setDigits(page, values) {
  for (const [name, value] of Object.entries(values)) await set(page, `#digits-${name}`, value);
}

/** Sets a field to a text, also to a text that its type would not let a person type. */
export async function set(page, id, value) {
  await page.$eval(
    id,
    (field, value) => {
      field.value = value;
      for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
    },
    String(value),
  );
}

/** Asserts that a sentence is useful for a person: it has words, and nothing that only programs use. */
export function assertSentence(text, about) {
  assert.match(text, /\p{L}+ \p{L}+/u, `${about}: no sentence but ${JSON.stringify(text)}`);
  const raw = /undefined|\[object|panicked|unreachable|RuntimeError|TypeError|\bNaN\b.*\bNaN\b|null\b.*of null|src\//;
  assert.doesNotMatch(text, raw, `${about}: not a sentence for a person: ${text}`);
}

/** How many colours a canvas shows, up to 100; a blank one has 1. */
export function colours(page, id) {
  return page.$eval(id, (canvas) => {
    const copy = document.createElement("canvas");
    Object.assign(copy, { width: canvas.width, height: canvas.height });
    const context = copy.getContext("2d");
    context.drawImage(canvas, 0, 0);
    const pixels = new Uint32Array(context.getImageData(0, 0, copy.width, copy.height).data.buffer);
    const found = new Set();
    for (const pixel of pixels) if (found.add(pixel).size >= 100) break;
    return found.size;
  });
}

/** The network's probabilities for rows of 64 pixels. */
export async function probabilities(page, rows) {
  return page.evaluate(async (rows) => [...(await globalThis.wgpuMlp.probabilities(Float32Array.from(rows)))], rows);
}

/** Rows of 64 numbers from 0 to 1, the same in each run. */
export function someRows(count) {
  let word = 12345;
  return Array.from({ length: count * 64 }, () => {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    return Math.fround(word / 2 ** 32);
  });
}

/** Draws with the mouse; strokes are lists of points from 0 to 1 across the canvas. */
export async function draw(page, strokes) {
  await page.click("#draw-clear");
  await page.locator("#draw").scrollIntoViewIfNeeded();
  const box = await page.locator("#draw").boundingBox();
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  for (const [first, ...others] of strokes) {
    await page.mouse.move(...at(first));
    await page.mouse.down();
    for (const point of others) await page.mouse.move(...at(point), { steps: 8 });
    await page.mouse.up();
  }
}
