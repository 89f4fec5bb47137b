// The page's look: wide and narrow, light and dark.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { run, setDigits } from "../harness/page.js";
import { SOON } from "../harness/patience.js";

const WIDE = { viewport: { width: 1280, height: 900 } };
/** A window of 1280 × 1024 px that is zoomed to 400 %. */
const ZOOMED = { viewport: { width: 320, height: 256 }, reducedMotion: "reduce" };
const NARROW = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true };

/** Elements that stick out of the window. A phone's `innerWidth` would grow with a page that is too wide. */
const sticking = (page) =>
  page.evaluate((wide) => {
    const found = [];
    if (document.documentElement.scrollWidth > wide) {
      found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
    }
    for (const one of document.querySelectorAll("button, input, select, canvas, output, h1, h2, p, label")) {
      const { left, right, width } = one.getBoundingClientRect();
      // Content that scrolls within its own box may be wider than the window.
      const boxed = one.closest("table") || getComputedStyle(one).position === "absolute";
      if (width && !boxed && (right > wide + 1 || left < -1)) {
        found.push(`${one.tagName.toLowerCase()}#${one.id} from ${left} to ${right}`);
      }
    }
    return found;
  }, page.viewportSize().width);

async function shoot(t, name, settings) {
  const page = await t.open({ settings });
  await setDigits(page, { epochs: 5 });
  await run(page, "#digits", "#digits-start", 60);
  await page.waitForTimeout(300);
  if (t.options.screenshots) {
    await mkdir(t.options.screenshots, { recursive: true });
    await page.evaluate(() => scrollTo(0, 0)); // elements that stay in the window while it scrolls belong to the top
    await page.screenshot({ path: join(t.options.screenshots, `${name}.png`), fullPage: true });
  }
  return page;
}

const brightness = (page) =>
  page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d");
    const ofBody = getComputedStyle(document.body).backgroundColor;
    const clear = /transparent|, 0\)/.test(ofBody);
    canvas.fillStyle = clear ? getComputedStyle(document.documentElement).backgroundColor : ofBody;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
    return (red + green + blue) / 765;
  });

export const layout = [
  {
    name: "the page is usable at a width of 360 px: nothing sticks out or scrolls sideways",
    seconds: 90,
    async run(t) {
      const page = await shoot(t, "narrow-light", { ...NARROW, colorScheme: "light" });
      assert.deepEqual(await sticking(page), []);
      const small = await page.$$eval("button", (all) =>
        all.filter((one) => one.offsetParent && one.getBoundingClientRect().height < 24).map((one) => one.id),
      );
      assert.deepEqual(small, [], "buttons too low for a finger");
    },
  },
  {
    name: "long words do not make a narrow page wider: a file's name, and the name of a case",
    seconds: 60,
    async run(t) {
      const page = await t.open({ settings: NARROW });
      const buffer = Buffer.from("no model");
      await page.setInputFiles("#model-load", { name: `${"n".repeat(120)}.safetensors`, mimeType: "text/plain", buffer });
      await page.waitForFunction(() => document.querySelector("#model-status").textContent.includes("nnn"), null, { timeout: SOON });
      assert.deepEqual(await sticking(page), []);
      await page.$eval("#parity-case", (output) => (output.textContent = "softmax_cross_entropy_backward 1000x1000"));
      assert.deepEqual(await sticking(page), []);
    },
  },
  {
    name: "zoomed to 400 % nothing sticks out, and a long message does not stay over the page",
    seconds: 90,
    async run(t) {
      const page = await shoot(t, "zoomed", ZOOMED);
      assert.deepEqual(await sticking(page), []);
      const share = await page.evaluate(async () => {
        const message = document.querySelector("#message");
        message.textContent = "A message of several lines on a narrow window. ".repeat(5);
        document.querySelector("#spiral").scrollIntoView();
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        const { top, bottom } = message.getBoundingClientRect();
        return Math.max(0, Math.min(bottom, innerHeight) - Math.max(top, 0)) / innerHeight;
      });
      assert.ok(share < 0.4, `the message covers ${(100 * share).toFixed(0)} % of the window`);
    },
  },
  {
    name: "in forced colours the drawing is on white paper, and the bars differ from what is behind them",
    async run(t) {
      const page = await t.open({ settings: { ...WIDE, colorScheme: "dark", forcedColors: "active" } });
      const [body, paper, bar, track] = await page.evaluate(() =>
        ["body", "#draw", "#draw-bars .bar > span", "#draw-bars .bar"].map((one) => getComputedStyle(document.querySelector(one)).backgroundColor),
      );
      assert.notEqual(body, "rgb(255, 255, 255)", "the browser does not force dark colours");
      assert.equal(paper, "rgb(255, 255, 255)");
      assert.ok(![track, body].includes(bar), `bars of ${bar} on ${track} and ${body}`);
    },
  },
  {
    name: "in a dark window the page is dark, and in a light one light",
    seconds: 180,
    async run(t) {
      const light = await shoot(t, "wide-light", { ...WIDE, colorScheme: "light" });
      assert.deepEqual(await sticking(light), []);
      assert.ok((await brightness(light)) > 0.7, `a light window has a brightness of ${await brightness(light)}`);
      const dark = await shoot(t, "wide-dark", { ...WIDE, colorScheme: "dark" });
      assert.ok((await brightness(dark)) < 0.3, `a dark window has a brightness of ${await brightness(dark)}`);
      await shoot(t, "narrow-dark", { ...NARROW, colorScheme: "dark" });
    },
  },
];
