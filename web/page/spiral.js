// @ts-check
// The section that teaches a network the spiral and shows the regions that it assigns to the arms.

import { lab } from "./lab.js";
import { byId, colour, enter, onAppearance, paced, percent, say, sharp, show } from "./page.js";

/** @typedef {{ places: Float32Array, labels: Uint8Array, edge: number }} Points */

const CLASSES = 3;
/** Pixels along the map's side: fewer if the CPU computes them. */
const [FINE, COARSE] = [192, 96];
const OPTIONS = {
  layers: [64, 64],
  optimizer: "adamw",
  rate: 0.02,
  decay: 0.03,
  batch: 100,
  epochs: 2000,
  schedule: "cosine",
  dropout: 0,
  seed: 12,
  goal: 0.96,
};

/** @type {Points | null} */
let points = null;
/** The probabilities of the arms at each pixel of the map. @type {Float32Array | null} */
let shares = null;
let training = false;

const canvas = /** @type {HTMLCanvasElement} */ (byId("spiral-regions"));
const names = ["a", "b", "c"];

function draw() {
  const { pen, width } = sharp(canvas, 1);
  if (shares) drawRegions(pen, shares, width);
  if (!points) return;
  const { places, labels, edge } = points;
  const at = (/** @type {number} */ value) => ((value + edge) / (2 * edge)) * width;
  pen.strokeStyle = colour("card");
  pen.lineWidth = 1;
  for (let row = 0; row < labels.length; row++) {
    pen.fillStyle = colour(names[labels[row]]);
    marker(pen, at(places[2 * row]), at(-places[2 * row + 1]), labels[row]);
  }
  canvas.setAttribute("aria-label", shares ? "The points of three arms, and the regions that the network takes" : "The points of three arms");
}

/**
 * A disc, a square or a triangle, so that the arms differ in more than their colour.
 * @param {CanvasRenderingContext2D} pen
 * @param {number} x
 * @param {number} y
 * @param {number} arm
 */
function marker(pen, x, y, arm) {
  pen.beginPath();
  if (arm === 0) {
    pen.arc(x, y, 3.6, 0, 2 * Math.PI);
  } else if (arm === 1) {
    pen.rect(x - 3.2, y - 3.2, 6.4, 6.4);
  } else {
    pen.moveTo(x, y - 4.2);
    pen.lineTo(x + 4, y + 3);
    pen.lineTo(x - 4, y + 3);
    pen.closePath();
  }
  pen.fill();
  pen.stroke();
}

/** The colours' red, green and blue parts. @returns {number[][]} */
function tints() {
  return names.map((name) => {
    const hex = parseInt(colour(`fill-${name}`).slice(1), 16);
    return [hex >> 16, (hex >> 8) & 255, hex & 255];
  });
}

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {Float32Array} map
 * @param {number} width
 */
function drawRegions(pen, map, width) {
  const side = Math.round(Math.sqrt(map.length / CLASSES));
  const image = new ImageData(side, side);
  const colours = tints();
  for (let at = 0; at < side * side; at++) {
    let best = 0;
    for (let arm = 1; arm < CLASSES; arm++) if (map[CLASSES * at + arm] > map[CLASSES * at + best]) best = arm;
    // No colour if all arms are equally probable.
    const sure = 1.5 * (map[CLASSES * at + best] - 1 / CLASSES);
    image.data.set([...colours[best], Math.round(150 * Math.max(0, sure))], 4 * at);
  }
  const map2 = new OffscreenCanvas(side, side);
  map2.getContext("2d")?.putImageData(image, 0, 0);
  pen.drawImage(map2, 0, 0, width, width);
}

const look = paced(120, async () => {
  try {
    const slow = lab.info?.kind !== "gpu" || lab.info.software;
    shares = await lab.client.call("spiralRegions", [slow ? COARSE : FINE]);
    draw();
  } catch {
    // The training that runs meanwhile gets the same error, and reports it.
  }
});

/** @param {string} state */
function arrive(state) {
  enter("spiral", state, { "spiral-start": !training && lab.info !== null, "spiral-stop": training });
}

/** @param {{ epoch: number, accuracy: number }} epoch */
function reached({ epoch, accuracy }) {
  show("spiral-epoch", epoch, String(epoch));
  show("spiral-accuracy", accuracy, percent(accuracy));
  void look();
}

async function train() {
  await lab.settled();
  if (training) return;
  training = true;
  arrive("training");
  say("The network learns the spiral.");
  const ended = lab.client.call("train", ["spiral", OPTIONS, false], reached);
  let state = "failed";
  try {
    const { stopped, epochs } = await lab.follow(stop, ended);
    state = stopped ? "stopped" : "done";
    say(`The spiral: ${stopped ? "stopped" : "done"} after ${epochs} epochs.`);
  } catch (error) {
    await lab.report(error);
  } finally {
    training = false;
    arrive(state);
    void look();
  }
}

function stop() {
  lab.client.call("stop", ["spiral"]).catch((error) => lab.report(error));
}

export function startSpiral() {
  byId("spiral-start").addEventListener("click", () => void train());
  byId("spiral-stop").addEventListener("click", stop);
  lab.addEventListener("device", async () => {
    arrive(byId("spiral").dataset.state ?? "idle");
    try {
      points ??= await lab.client.call("spiralPoints");
      draw();
    } catch {
      // The worker broke, which is reported elsewhere. The points are loaded again with the next device.
    }
  });
  onAppearance(draw);
}
