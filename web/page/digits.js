// @ts-check
// The section that trains a network on the digits.

import { drawConfusion, drawCurves, drawMisread } from "./charts.js";
import { lab } from "./lab.js";
import { byId, enter, onAppearance, paced, percent, say, show } from "./page.js";

/** @typedef {import("./charts.js").Epoch} Epoch */
/** @typedef {import("./charts.js").HeldOut} HeldOut */

/** The shortest time between two requests for the confusion matrix, in milliseconds. */
const LOOK = 500;
/** The most points of the curves: more than their width in pixels. */
const MOST_POINTS = 2000;

/** @type {Epoch[]} */
let history = [];
/** @type {HeldOut | null} */
let held = null;
let training = false;
/** Whether a training is waiting until the device has been changed. */
let waiting = false;
let trained = false;

/** The form's fields, by the names that the library gives them. */
const FIELDS = ["layers", "rate", "batch", "epochs"];

/** @param {string} id */
const canvas = (id) => /** @type {HTMLCanvasElement} */ (byId(id));
/** @param {string} id */
const value = (id) => /** @type {HTMLInputElement | HTMLSelectElement} */ (byId(id)).value;

function draw() {
  drawCurves(canvas("digits-curves"), history);
  drawConfusion(canvas("digits-confusion"), held);
  drawMisread(canvas("digits-misread"), held);
}

/** The values of the form. The library checks them. */
function form() {
  const layers = value("digits-layers").split(/[\s,;]+/).filter(Boolean).map(Number);
  const [rate, batch, epochs] = ["rate", "batch", "epochs"].map((name) => Number(value(`digits-${name}`)));
  const fixed = { schedule: "constant", dropout: 0.2, decay: 0.01, seed: 7, goal: 2 };
  return { ...fixed, layers, optimizer: value("digits-optimizer"), rate, batch, epochs };
}

/** @param {string} state */
function arrive(state) {
  const idle = !training && !waiting && lab.info !== null;
  enter("digits", state, {
    "digits-stop": training,
    "digits-continue": idle && trained,
    "digits-start": idle,
    "model-save": idle && trained,
  });
}

const look = paced(LOOK, async () => {
  if (!trained) return;
  try {
    held = await lab.client.call("heldOut");
    draw();
  } catch {
    // The training that runs meanwhile gets the same error, and reports it.
  }
});

/** Whether the curves will be drawn with the next frame. */
let drawing = false;

function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawCurves(canvas("digits-curves"), history);
  });
}

/** @param {Epoch} epoch */
function reached(epoch) {
  history.push(epoch);
  // When there are too many points, every second one is removed.
  if (history.length > MOST_POINTS) history = history.filter((_, index) => index % 2 === 0);
  if (!trained) {
    trained = true;
    arrive("training");
  }
  show("digits-epoch", epoch.epoch, String(epoch.epoch));
  show("digits-accuracy", epoch.heldAccuracy, percent(epoch.heldAccuracy));
  drawSoon();
  void look();
  lab.dispatchEvent(new Event("epoch"));
}

/**
 * Trains a new network on the digits, or continues with the present one.
 * @param {Record<string, any>} [wanted] options that replace those of the form
 * @param {boolean} [goOn]
 * @returns {Promise<{ accuracy: number, epochs: number, stopped: boolean }>}
 */
export async function train(wanted = {}, goOn = false) {
  if (training || waiting) throw new Error("a training is running already");
  waiting = true;
  arrive(byId("digits").dataset.state ?? "idle");
  await lab.settled();
  waiting = false;
  training = true;
  arrive("training");
  say(goOn ? "The training goes on." : "Training.");
  // A training that is refused changes neither the network nor its curves.
  let fresh = !goOn;
  const ended = lab.client.call("train", ["digits", { ...form(), ...wanted }, goOn], (epoch) => {
    if (fresh) forget();
    fresh = false;
    reached(epoch);
  });
  let state = "failed";
  for (const name of FIELDS) byId(`digits-${name}`).removeAttribute("aria-invalid");
  try {
    const result = await lab.follow(stop, ended);
    // A training that was stopped in its first epoch has a network too.
    trained = true;
    if (fresh) forget();
    if (result.stopped) show("digits-accuracy", result.accuracy, percent(result.accuracy));
    state = result.stopped ? "stopped" : "done";
    const verb = result.stopped ? "Stopped" : "Done";
    say(`${verb} after ${result.epochs} epochs: ${percent(result.accuracy)} of the held-out digits are read correctly.`);
    await lab.keepModel();
    return result;
  } catch (error) {
    const told = error instanceof Error && error.name === "Refused" ? error.message : "";
    for (const name of FIELDS) if (told.startsWith(name) && !(name in wanted)) byId(`digits-${name}`).setAttribute("aria-invalid", "true");
    throw error;
  } finally {
    training = false;
    arrive(state);
    void look();
  }
}

/** Asks the training to stop. */
function stop() {
  lab.client.call("stop", ["digits"]).catch((error) => lab.report(error));
}

/** Removes the curves and figures of the last training. */
function forget() {
  history = [];
  held = null;
  show("digits-epoch", 0, "0");
  show("digits-accuracy", "", "–");
  draw();
}

/** Shows a network that was loaded: it has no history. */
export function adopted() {
  forget();
  trained = true;
  arrive("idle");
  void look();
  lab.client.call("heldOut").then(
    (found) => show("digits-accuracy", found.accuracy, percent(found.accuracy)),
    (error) => lab.report(error),
  );
}

/** Whether there is a network for the digits. */
export const hasNetwork = () => trained;

export function startDigits() {
  const start = () => void train().catch((error) => lab.report(error));
  byId("digits-start").addEventListener("click", start);
  byId("digits-continue").addEventListener("click", () => train({}, true).catch((error) => lab.report(error)));
  byId("digits-stop").addEventListener("click", stop);
  byId("digits-form").addEventListener("input", ({ target }) => {
    if (target instanceof HTMLElement) target.removeAttribute("aria-invalid");
  });
  // The Enter key in a field starts a training. It would not submit a form that has several fields and no button.
  byId("digits-form").addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (key !== "Enter" || !(target instanceof HTMLInputElement)) return;
    event.preventDefault();
    if (!event.repeat && !training && !waiting && lab.info) start();
  });
  lab.addEventListener("device", () => arrive(byId("digits").dataset.state ?? "idle"));
  // A new worker has the network that was kept, or no network.
  lab.addEventListener("restored", () => {
    if (lab.lastModel) return adopted();
    forget();
    trained = false;
    arrive("idle");
  });
  onAppearance(draw);
  draw();
}
