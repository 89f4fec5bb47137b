// @ts-check
// The section that saves and loads the digits' network.

import { adopted } from "./digits.js";
import { lab } from "./lab.js";
import { byId, download, sentence } from "./page.js";

/** The largest file that is read: far larger than any network for digits. */
const MOST_BYTES = 256 * 2 ** 20;

/** @param {string} text */
function status(text) {
  byId("model-status").textContent = text;
}

/** The digits' network as the bytes of a safetensors file. @returns {Promise<ArrayBuffer>} */
export async function saveModel() {
  await lab.settled();
  const bytes = await lab.client.call("saveModel");
  return bytes.buffer;
}

/** Replaces the network by that of a safetensors file. @param {ArrayBuffer} buffer */
export async function loadModel(buffer) {
  await lab.settled();
  const widths = await lab.client.call("loadModel", [new Uint8Array(buffer)]);
  adopted();
  await lab.keepModel();
  return widths;
}

/** @param {File} file */
async function load(file) {
  try {
    if (file.size > MOST_BYTES) throw new Error("the file is larger than 256 MiB");
    const widths = await loadModel(await file.arrayBuffer());
    status(`${file.name}: loaded a network ${widths.join("-")}.`);
  } catch (error) {
    status(`${file.name} was not loaded. ${sentence(error)}`);
    if (error instanceof Error && error.name === "DeviceLost") await lab.report(error);
  }
}

export function startModel() {
  byId("model-save").addEventListener("click", async () => {
    try {
      const buffer = await saveModel();
      download(buffer, "digits.safetensors", "application/octet-stream");
      status(`Saved digits.safetensors, ${buffer.byteLength.toLocaleString("en")} bytes.`);
    } catch (error) {
      status(sentence(error));
      await lab.report(error);
    }
  });
  const input = /** @type {HTMLInputElement} */ (byId("model-load"));
  input.addEventListener("change", async () => {
    const file = input.files?.[0];
    if (file) await load(file);
    // After this the same file can be chosen again.
    input.value = "";
  });
  lab.addEventListener("model", () => {
    if (byId("model-status").textContent === "No network yet.") status("A trained network can be saved.");
  });
}
