// @ts-check
// Pictures of a training: curves, the confusion matrix, the misread digits.

import { colour, percent, sharp } from "./page.js";

/** @typedef {{ epoch: number, loss: number, accuracy: number, heldLoss: number, heldAccuracy: number }} Epoch */
/** @typedef {{ rows: number, accuracy: number, counts: Uint32Array, pixels: Float32Array, labels: Uint8Array, read: Uint8Array, shares: Float32Array }} HeldOut */

const CLASSES = 10;
const SIDE = 8;
/** The most misread digits that are shown; after a few epochs there are fewer. */
const MOST_TILES = 20;

/**
 * Draws loss and accuracy, on the training rows and on the rows held out.
 * @param {HTMLCanvasElement} canvas
 * @param {Epoch[]} history
 */
export function drawCurves(canvas, history) {
  const narrow = canvas.clientWidth < 520;
  const { pen, width, height } = sharp(canvas, narrow ? 1.15 : 0.42);
  const losses = history.flatMap((epoch) => [epoch.loss, epoch.heldLoss]).filter(Number.isFinite);
  const accuracies = history.flatMap((epoch) => [epoch.accuracy, epoch.heldAccuracy]);
  const highest = losses.length ? losses.reduce((most, loss) => Math.max(most, loss), 0.01) : 1;
  const least = accuracies.reduce((least, accuracy) => Math.min(least, accuracy), 0.9);
  const lowest = accuracies.length ? Math.max(0, Math.floor(10 * least) / 10) : 0;
  const [across, down] = narrow ? [width, height / 2] : [width / 2, height];
  const second = narrow ? [0, down] : [across, 0];
  panel(pen, [0, 0, across, down], "loss", [0, highest], history, ["loss", "heldLoss"], (value) => value.toPrecision(2));
  const shares = (/** @type {number} */ value) => `${Math.round(100 * value)} %`;
  panel(pen, [second[0], second[1], across, down], "accuracy", [lowest, 1], history, ["accuracy", "heldAccuracy"], shares);
  const last = history.at(-1);
  const told = last && `After ${last.epoch} epochs: loss ${last.loss.toFixed(4)}, held out ${last.heldLoss.toFixed(4)}; accuracy ${percent(last.accuracy)}, held out ${percent(last.heldAccuracy)}`;
  canvas.setAttribute("aria-label", told || "No training yet");
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number[]} place left, top, width, height
 * @param {string} name
 * @param {number[]} range
 * @param {Epoch[]} history
 * @param {("loss" | "heldLoss" | "accuracy" | "heldAccuracy")[]} lines
 * @param {(value: number) => string} text
 */
function panel(pen, [left, top, width, height], name, [low, high], history, lines, text) {
  const [x0, x1, y0, y1] = [left + 48, left + width - 14, top + height - 26, top + 30];
  const last = Math.max(history.at(-1)?.epoch ?? 0, 2);
  const x = (/** @type {number} */ epoch) => x0 + ((x1 - x0) * (epoch - 1)) / (last - 1);
  const y = (/** @type {number} */ value) => y0 + ((y1 - y0) * (Math.min(value, high) - low)) / (high - low);
  pen.fillStyle = colour("soft");
  pen.strokeStyle = colour("line");
  pen.lineWidth = 1;
  pen.textAlign = "right";
  for (let tick = 0; tick <= 4; tick++) {
    const value = low + ((high - low) * tick) / 4;
    pen.beginPath();
    pen.moveTo(x0, Math.round(y(value)) + 0.5);
    pen.lineTo(x1, Math.round(y(value)) + 0.5);
    pen.stroke();
    pen.fillText(text(value), x0 - 6, y(value));
  }
  pen.fillText(history.length ? `epoch ${last}` : "epoch", x1, y0 + 14);
  pen.textAlign = "left";
  pen.fillText("1", x0, y0 + 14);
  const keys = [`${name}, training`, "held out"];
  let along = x0;
  keys.forEach((key, index) => {
    pen.fillStyle = colour(index ? "b" : "a");
    // The lines differ in more than their colour.
    pen.fillText(`${index ? "- - " : "── "}${key}`, along, top + 12);
    along += pen.measureText(`── ${key}`).width + 18;
  });
  lines.forEach((line, index) => {
    pen.strokeStyle = colour(index ? "b" : "a");
    pen.setLineDash(index ? [6, 4] : []);
    pen.lineWidth = 2;
    pen.beginPath();
    for (const epoch of history) {
      const value = epoch[line];
      if (Number.isFinite(value)) pen.lineTo(x(epoch.epoch), y(value));
    }
    pen.stroke();
    const [first] = history;
    if (history.length === 1 && Number.isFinite(first[line])) {
      pen.fillStyle = pen.strokeStyle;
      pen.fillRect(x(first.epoch) - 2, y(first[line]) - 2, 5, 5);
    }
  });
  pen.setLineDash([]);
}

/** @param {HTMLCanvasElement} canvas @param {HeldOut | null} held */
export function drawConfusion(canvas, held) {
  const { pen, width, height } = sharp(canvas, 1);
  const cell = (Math.min(width, height) - 22) / CLASSES;
  const start = 22;
  const largest = held ? Math.max(1, ...held.counts) : 1;
  pen.textAlign = "center";
  for (let index = 0; index < CLASSES; index++) {
    pen.fillStyle = colour("soft");
    pen.fillText(String(index), start + cell * (index + 0.5), 10);
    pen.fillText(String(index), 10, start + cell * (index + 0.5));
    for (let read = 0; read < CLASSES; read++) {
      const [x, y] = [start + cell * read, start + cell * index];
      pen.globalAlpha = 1;
      pen.strokeStyle = colour("line");
      pen.strokeRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
      const count = held?.counts[CLASSES * index + read] ?? 0;
      if (!count) continue;
      // Even a rare mistake is visible at once.
      pen.globalAlpha = index === read ? 0.15 + 0.35 * (count / largest) : 0.55;
      pen.fillStyle = colour(index === read ? "fill-a" : "fill-b");
      pen.fillRect(x + 1, y + 1, cell - 2, cell - 2);
      pen.globalAlpha = 1;
      pen.fillStyle = colour("ink");
      pen.fillText(String(count), x + cell / 2, y + cell / 2);
    }
  }
  const wrong = held ? held.labels.length : 0;
  canvas.setAttribute("aria-label", held ? `${held.rows - wrong} of ${held.rows} digits are read correctly` : "No training yet");
}

/** @param {HTMLCanvasElement} canvas @param {HeldOut | null} held */
export function drawMisread(canvas, held) {
  const { pen, width } = sharp(canvas, 1);
  const columns = 5;
  const tile = width / columns;
  const side = tile - 14;
  const found = held ? held.labels.length : 0;
  const shown = Math.min(found, MOST_TILES);
  const high = Math.min(tile, width / 4 - 4);
  const pixel = Math.min(side, high - 20) / SIDE;
  pen.textAlign = "center";
  for (let index = 0; held && index < shown; index++) {
    const [left, top] = [(index % columns) * tile + (tile - pixel * SIDE) / 2, Math.floor(index / columns) * (high + 4) + 2];
    for (let at = 0; at < SIDE * SIDE; at++) {
      const shade = Math.round(255 * (1 - held.pixels[SIDE * SIDE * index + at]));
      pen.fillStyle = `rgb(${shade} ${shade} ${shade})`;
      pen.fillRect(left + pixel * (at % SIDE), top + pixel * Math.floor(at / SIDE), pixel + 0.5, pixel + 0.5);
    }
    pen.strokeStyle = colour("line");
    pen.strokeRect(left, top, pixel * SIDE, pixel * SIDE);
    pen.fillStyle = colour("ink");
    pen.fillText(`${held.labels[index]} → ${held.read[index]}`, left + (pixel * SIDE) / 2, top + pixel * SIDE + 11);
  }
  const told = !held ? "No training yet" : found ? `${found} digits are misread` : "Every digit is read correctly";
  const list = held ? Array.from(held.labels.slice(0, shown), (label, index) => `${label} as ${held.read[index]}`) : [];
  canvas.setAttribute("aria-label", [told, ...list].join(", "));
  pen.fillStyle = colour("soft");
  if (held && !found) pen.fillText(told, width / 2, width / 2);
}
