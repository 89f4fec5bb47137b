// @ts-check
// The section that verifies every op on the device.

import { lab } from "./lab.js";
import { byId, download, enter, say, sentence, show } from "./page.js";

/** @typedef {{ op: string, cases: number, failed: number, share: number, case: string }} Row */
/** @typedef {{ passed: boolean, rows: Row[], variants: number, possible: number, json: string }} Report */

/** @type {string | null} */
let json = null;
let running = false;
/** Whether the visitor or a change of the device has stopped the verification. */
let halted = false;

/** @param {string} state */
function arrive(state) {
  const idle = !running && lab.info !== null;
  enter("parity", state, { "parity-stop": running, "parity-start": idle, "parity-save": idle && json !== null });
}

/** @param {string} tag @param {string} text */
function cell(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

/** @param {Row} row */
function tableRow({ op, cases, failed, share, case: worst }) {
  const row = document.createElement("tr");
  row.dataset.op = op;
  row.dataset.passed = String(failed === 0);
  const name = cell("th", op);
  name.setAttribute("scope", "row");
  const bar = document.createElement("td");
  const [share2, track, fill] = ["div", "div", "span"].map((tag) => document.createElement(tag));
  share2.className = "share";
  share2.title = `worst case: ${worst}`;
  track.className = "bar";
  track.dataset.over = String(!(share <= 1));
  fill.style.width = `${100 * Math.min(1, Number.isFinite(share) ? share : 1)}%`;
  track.append(fill);
  share2.append(track, cell("span", Number.isFinite(share) ? share.toFixed(3) : "∞"));
  bar.dataset.value = String(share);
  bar.append(share2);
  const verdict = cell("td", failed === 0 ? "passed" : `${failed} over`);
  verdict.className = failed === 0 ? "good" : "bad";
  row.append(name, cell("td", String(cases)), bar, verdict);
  return row;
}

/** @param {Report} report */
function fill({ rows, variants, possible }) {
  const sorted = [...rows].sort((a, b) => b.share - a.share);
  byId("parity-table").querySelector("tbody")?.replaceChildren(...sorted.map(tableRow));
  const total = rows.reduce((sum, row) => sum + row.cases, 0);
  const failures = rows.reduce((sum, row) => sum + row.failed, 0);
  show("parity-cases", total, total.toLocaleString("en"));
  show("parity-failures", failures, String(failures));
  byId("parity-variants").textContent = possible ? `${variants} of the ${possible} kernel variants of this device ran` : "";
}

async function verify() {
  await lab.settled();
  if (running) return;
  running = true;
  halted = false;
  json = null;
  arrive("running");
  let failures = 0;
  const bar = /** @type {HTMLProgressElement} */ (byId("parity-progress"));
  bar.value = 0;
  show("parity-cases", 0, "0");
  show("parity-failures", 0, "0");
  byId("parity-table").querySelector("tbody")?.replaceChildren();
  byId("parity-on").textContent = `On ${lab.info?.name}`;
  say("Verifying every op.");
  let state = "failed";
  try {
    const full = /** @type {HTMLInputElement} */ (byId("parity-full")).checked;
    const ended = lab.client.call("verify", [full], ({ done, total, case: name, passed }) => {
      if (!passed) {
        failures++;
        say(`${name} is over its bound.`, "bad");
      }
      bar.max = total;
      bar.value = done;
      show("parity-cases", done, `${done.toLocaleString("en")} of ${total.toLocaleString("en")}`);
      show("parity-failures", failures, String(failures));
      byId("parity-case").textContent = name;
    });
    /** @type {Report} */
    const report = await lab.follow(stop, ended);
    fill(report);
    json = report.json;
    bar.value = bar.max;
    state = "done";
    say(report.passed ? `Every element of every op is within its bound on ${lab.info?.name}.` : "Some ops are over their bound.", report.passed ? "" : "bad");
  } catch (error) {
    state = halted ? "stopped" : "failed";
    if (halted) say(sentence(error));
    else await lab.report(error);
  } finally {
    running = false;
    arrive(state);
  }
}

/** Asks the verification to stop. */
function stop() {
  halted = true;
  lab.client.call("stopVerifying").catch((error) => lab.report(error));
}

export function startParity() {
  byId("parity-start").addEventListener("click", () => void verify());
  byId("parity-stop").addEventListener("click", stop);
  byId("parity-save").addEventListener("click", () => json && download(json, "parity.json", "application/json"));
  lab.addEventListener("device", () => arrive(byId("parity").dataset.state ?? "idle"));
}
