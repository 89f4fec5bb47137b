// @ts-check
// The drawing area: strokes by mouse, finger, pen or keyboard, and the network's predictions for them.

import { lab } from "./lab.js";
import { hasNetwork } from "./digits.js";
import { byId, onAppearance, paced, show } from "./page.js";
import { digit } from "./strokes.js";

/** @typedef {import("./strokes.js").Point} Point */

const CLASSES = 10;
const PIXELS = 8;
/** Cells along a side, for the keyboard. */
const CELLS = 16;
/** The pen's width, as a share of the drawing area. */
const PEN = 0.07;

/** The strokes, from 0 to 1 in both directions. @type {Point[][]} */
let strokes = [];
/** The stroke that each pointer draws. @type {Map<number, Point[]>} */
const drawing = new Map();
/** The keyboard's cell, the cell that it drew last, and whether space is held. */
const keys = { column: 8, row: 2, last: /** @type {number[] | null} */ (null), held: false, shown: false };

const area = /** @type {HTMLCanvasElement} */ (byId("draw"));
const small = /** @type {HTMLCanvasElement} */ (byId("draw-pixels"));

/** Draws the strokes, and the keyboard's cell if it is in use. Paper is white in dark mode too. */
function redraw() {
  const wide = Math.round((area.clientWidth || 256) * Math.min(window.devicePixelRatio || 1, 3));
  if (area.width !== wide) area.width = area.height = wide;
  const pen = /** @type {CanvasRenderingContext2D} */ (area.getContext("2d"));
  pen.setTransform(wide, 0, 0, wide, 0, 0);
  pen.clearRect(0, 0, 1, 1);
  Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#15191d" });
  for (const stroke of strokes) {
    pen.beginPath();
    pen.moveTo(stroke[0].x, stroke[0].y);
    for (const { x, y } of stroke) pen.lineTo(x, y);
    pen.stroke();
  }
  if (keys.shown && document.activeElement === area) {
    Object.assign(pen, { lineWidth: 0.008, strokeStyle: "#0b6490" });
    pen.strokeRect(keys.column / CELLS, keys.row / CELLS, 1 / CELLS, 1 / CELLS);
  }
}

/** @param {Float32Array | null} pixels */
function showPixels(pixels) {
  small.width = small.height = PIXELS;
  const pen = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d"));
  const image = pen.createImageData(PIXELS, PIXELS);
  for (let at = 0; at < PIXELS * PIXELS; at++) {
    const shade = Math.round(255 * (1 - (pixels?.[at] ?? 0)));
    image.data.set([shade, shade, shade, 255], 4 * at);
  }
  pen.putImageData(image, 0, 0);
  small.setAttribute("aria-label", pixels ? "The drawing in 8 by 8 pixels" : "Nothing drawn");
}

/** @param {Float32Array | null} shares */
function showShares(shares) {
  let best = 0;
  shares?.forEach((share, index) => (best = share > shares[best] ? index : best));
  if (shares) show("draw-class", best, `${best}`);
  else show("draw-class", "", "–");
  [...byId("draw-bars").children].forEach((row, index) => {
    const share = shares?.[index] ?? 0;
    /** @type {HTMLElement} */ (row).dataset.best = String(shares !== null && index === best);
    /** @type {HTMLElement} */ (row).dataset.value = shares ? String(share) : "";
    const bar = /** @type {HTMLElement} */ (row.querySelector(".bar > span"));
    bar.style.width = `${100 * share}%`;
    /** @type {HTMLElement} */ (row.querySelector(".number")).textContent = shares ? `${(100 * share).toFixed(1)} %` : "–";
  });
}

const read = paced(40, async () => {
  const pixels = digit(strokes);
  showPixels(pixels);
  if (!pixels || !hasNetwork()) return showShares(null);
  try {
    const shares = await lab.client.call("probabilities", [pixels]);
    // The drawing may have been cleared meanwhile.
    showShares(strokes.length ? shares : null);
  } catch (error) {
    await lab.report(error);
  }
});

function changed() {
  redraw();
  void read();
}

function clear() {
  strokes = [];
  drawing.clear();
  keys.last = null;
  changed();
}

/** @param {PointerEvent} event */
function point(event) {
  const { left, top, width, height } = area.getBoundingClientRect();
  const within = (/** @type {number} */ value) => Math.min(1, Math.max(0, value));
  return { x: within((event.clientX - left) / width), y: within((event.clientY - top) / height) };
}

function listenToPointers() {
  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    area.setPointerCapture(event.pointerId);
    const stroke = [point(event)];
    strokes.push(stroke);
    drawing.set(event.pointerId, stroke);
    keys.shown = false;
    changed();
  });
  area.addEventListener("pointermove", (event) => {
    const stroke = drawing.get(event.pointerId);
    if (!stroke) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const move of moves.length ? moves : [event]) stroke.push(point(move));
    changed();
  });
  for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
    area.addEventListener(end, (event) => drawing.delete(event.pointerId));
  }
}

/** Draws the keyboard's cell, joined to the cell drawn before if the two touch. */
function drawCell() {
  const middle = { x: (keys.column + 0.5) / CELLS, y: (keys.row + 0.5) / CELLS };
  const { last, column, row } = keys;
  const touches = last !== null && Math.max(Math.abs(last[0] - column), Math.abs(last[1] - row)) <= 1;
  if (touches && strokes.length) strokes[strokes.length - 1].push(middle);
  else strokes.push([middle]);
  keys.last = [column, row];
}

function listenToKeys() {
  /** @type {Record<string, [number, number]>} */
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const within = (/** @type {number} */ cell) => Math.min(CELLS - 1, Math.max(0, cell));
  area.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (move) {
      [keys.column, keys.row] = [within(keys.column + move[0]), within(keys.row + move[1])];
      if (keys.held) drawCell();
    } else if (event.key === " ") {
      if (!keys.held) drawCell();
      keys.held = true;
    } else if (event.key === "Delete" || event.key === "Backspace") {
      clear();
    } else {
      return;
    }
    event.preventDefault();
    keys.shown = true;
    area.setAttribute("aria-label", `Drawing area, column ${keys.column + 1}, row ${keys.row + 1}`);
    changed();
  });
  area.addEventListener("keyup", (event) => {
    if (event.key === " ") keys.held = false;
  });
  area.addEventListener("blur", () => {
    keys.held = false;
    redraw();
  });
}

function makeBars() {
  const bars = byId("draw-bars");
  for (let index = 0; index < CLASSES; index++) {
    const row = document.createElement("li");
    row.dataset.class = String(index);
    const [name, bar, number] = ["span", "div", "span"].map((tag) => document.createElement(tag));
    name.textContent = String(index);
    bar.className = "bar";
    bar.append(document.createElement("span"));
    number.className = "number";
    row.append(name, bar, number);
    bars.append(row);
  }
}

export function startDrawing() {
  makeBars();
  listenToPointers();
  listenToKeys();
  byId("draw-clear").addEventListener("click", clear);
  // The network changes while it learns, and so do its predictions for the drawing.
  for (const change of ["epoch", "model", "restored"]) lab.addEventListener(change, () => void read());
  onAppearance(redraw);
  changed();
}
