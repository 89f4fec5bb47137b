// Models as files: from PyTorch, to and from the page, and files that hold no model.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { assertSentence, probabilities, run, said, setDigits, someRows } from "../harness/page.js";
import { SOON } from "../harness/patience.js";

const DATA = new URL("../data/", import.meta.url);
const PYTORCH = new URL("pytorch.safetensors", DATA);
// As in examples/numpy: how far rounding in two programs can move probabilities apart.
const APART = 1e-6;

/** Gives the page a file, and waits until its message about the file changes. */
async function load(page, name, bytes) {
  await page.$eval("#model-status", (status) => (status.textContent = ""));
  await page.setInputFiles("#model-load", { name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) });
  const spoke = () => document.querySelector("#model-status").textContent.trim();
  await page.waitForFunction(spoke, null, { timeout: SOON });
  // The first message may be that the file is being read.
  const old = { text: "" };
  for (let waited = 0; waited < 20; waited += 1) {
    const text = await page.textContent("#model-status");
    if (text === old.text && waited > 3) break;
    old.text = text;
    await page.waitForTimeout(50);
  }
  return old.text.trim();
}

async function save(page) {
  const [download] = await Promise.all([page.waitForEvent("download", { timeout: SOON }), page.click("#model-save")]);
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

/** A safetensors file of F32 tensors, each given by a shape and its values. */
function safetensors(tensors) {
  const header = {};
  const data = [];
  let at = 0;
  for (const [name, { shape, fill }] of Object.entries(tensors)) {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(fill ?? 0.1);
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + values.byteLength] };
    data.push(Buffer.from(values.buffer));
    at += values.byteLength;
  }
  return framed(JSON.stringify(header), Buffer.concat(data));
}

function framed(header, data = Buffer.alloc(0)) {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header), data]);
}

/** The tensors of a network with these widths. */
function layers(widths) {
  const ofLayer = ([inputs, outputs], layer) => [
    [`${2 * layer}.weight`, { shape: [outputs, inputs] }],
    [`${2 * layer}.bias`, { shape: [outputs] }],
  ];
  return Object.fromEntries(widths.slice(1).flatMap((outputs, layer) => ofLayer([widths[layer], outputs], layer)));
}

const same = (a, b) => a.length === b.length && a.every((value, index) => Object.is(value, b[index]));

async function wrongFiles() {
  const right = await readFile(PYTORCH);
  const huge = Buffer.alloc(64);
  huge.writeBigUInt64LE(2n ** 63n);
  const late = '{"0.weight":{"dtype":"F32","shape":[10,64],"data_offsets":[4294967296,4294969856]}}';
  const wide = '{"0.weight":{"dtype":"F32","shape":[4294967297,4294967297],"data_offsets":[0,4]}}';
  return {
    "empty.safetensors": Buffer.alloc(0),
    "short.safetensors": Buffer.from([1, 2, 3]),
    "text.txt": Buffer.from("a text that is no model\n".repeat(100)),
    "report.json": Buffer.from('{"rows":[]}'),
    "picture.png": Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489", "hex"),
    "half.safetensors": right.subarray(0, right.length / 2),
    "header.safetensors": right.subarray(0, 40),
    "huge.safetensors": huge,
    "late.safetensors": framed(late, Buffer.alloc(64)),
    "wide.safetensors": framed(wide, Buffer.alloc(4)),
    "no-tensors.safetensors": framed("{}"),
    "one-layer-missing.safetensors": safetensors({ "0.weight": { shape: [10, 64] } }),
    "inputs.safetensors": safetensors({ "0.weight": { shape: [10, 63] }, "0.bias": { shape: [10] } }),
    "classes.safetensors": safetensors({ "0.weight": { shape: [9, 64] }, "0.bias": { shape: [9] } }),
    // Networks with a wider layer, and with more layers, than the page takes.
    "wide-layer.safetensors": safetensors(layers([64, 5000, 10])),
    "deep.safetensors": safetensors(layers([64, ...Array(9).fill(8), 10])),
    "chain.safetensors": safetensors({
      "0.weight": { shape: [20, 64] },
      "0.bias": { shape: [20] },
      "2.weight": { shape: [10, 21] },
      "2.bias": { shape: [10] },
    }),
  };
}

export const models = [
  {
    name: "a model that PyTorch saved gives PyTorch's probabilities",
    async run(t) {
      const page = await t.page();
      const { rows, probabilities: wanted } = JSON.parse(await readFile(new URL("pytorch.json", DATA), "utf8"));
      assertSentence(await load(page, "pytorch.safetensors", await readFile(PYTORCH)), "a model that was read");
      const got = await probabilities(page, rows);
      assert.equal(got.length, wanted.length);
      const apart = Math.max(...got.map((value, index) => Math.abs(value - wanted[index])));
      t.note = `at most ${apart.toExponential(1)} apart`;
      assert.ok(apart <= APART, `the probabilities are ${apart} apart`);
    },
  },
  {
    name: "a file that holds no such model gets a sentence, and the model that was there stays",
    seconds: 120,
    async run(t) {
      const page = await t.page();
      await load(page, "pytorch.safetensors", await readFile(PYTORCH));
      const rows = someRows(3);
      const before = await probabilities(page, rows);
      const files = await wrongFiles();
      for (const [name, bytes] of Object.entries(files)) {
        const text = await load(page, name, bytes);
        assertSentence(text, name);
        assert.ok(same(await probabilities(page, rows), before), `the model is another one after ${name}: ${text}`);
      }
      await setDigits(page, { epochs: 2 });
      await run(page, "#digits", "#digits-start", 40);
      t.note = `${Object.keys(files).length} files`;
    },
  },
  {
    name: "a model that the page saved is read again with the same bits",
    seconds: 90,
    async run(t) {
      const page = await t.page();
      await setDigits(page, { epochs: 3 });
      await run(page, "#digits", "#digits-start", 40);
      const rows = someRows(20);
      const before = await probabilities(page, rows);
      const saved = await save(page);
      assert.match(saved.name, /\.safetensors$/);
      await load(page, "pytorch.safetensors", await readFile(PYTORCH));
      assert.ok(!same(await probabilities(page, rows), before), "the other model was not taken");
      await load(page, saved.name, saved.bytes);
      assert.ok(same(await probabilities(page, rows), before), "the probabilities have other bits");
      assert.ok((await save(page)).bytes.equals(saved.bytes), "saved again, the file has other bytes");
    },
  },
  {
    name: "what saveModel gives and loadModel takes is the same file",
    async run(t) {
      const page = await t.page();
      await load(page, "pytorch.safetensors", await readFile(PYTORCH));
      const rows = someRows(3);
      const before = await probabilities(page, rows);
      const { bytes } = await save(page);
      const given = await page.evaluate(async () => [...new Uint8Array(await globalThis.wgpuMlp.saveModel())]);
      assert.ok(Buffer.from(given).equals(bytes), "saveModel gives another file than the button");
      await setDigits(page, { epochs: 1 });
      await run(page, "#digits", "#digits-start", 40);
      assert.ok(!same(await probabilities(page, rows), before), "the training changed nothing");
      await page.evaluate((given) => globalThis.wgpuMlp.loadModel(Uint8Array.from(given).buffer), given);
      assert.ok(same(await probabilities(page, rows), before), "loadModel takes another network than the field");
      const sentence = await page.evaluate(async () => {
        try {
          await globalThis.wgpuMlp.loadModel(new ArrayBuffer(3));
        } catch (error) {
          return error.message;
        }
        return "";
      });
      assertSentence(sentence, "loadModel of three bytes");
      assert.doesNotMatch(await said(page), /panicked/);
    },
  },
  {
    name: "a file that is dropped beside the field does not take the page's place",
    async run(t) {
      const page = await t.page();
      const prevented = await page.evaluate(() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["a text"], "text.txt"));
        const dropped = (id) =>
          ["dragover", "drop"].map((type) => {
            const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer });
            document.querySelector(id).dispatchEvent(event);
            return event.defaultPrevented;
          });
        return { beside: dropped("#digits"), field: dropped("#model-load") };
      });
      assert.deepEqual(prevented, { beside: [true, true], field: [false, false] });
    },
  },
];
