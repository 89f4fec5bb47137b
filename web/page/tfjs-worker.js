// @ts-check
// TensorFlow.js in a worker of its own: the same jobs as the crate's, on its WebGPU backend. This is a classic worker, because the files
// of TensorFlow.js are scripts and not modules. The messages are those of worker.js.

/** @type {any} */
let tf;
/** @type {any} */
let job = null;

const post = /** @type {(message: any) => void} */ (self.postMessage.bind(self));

/** Waits until the adapter has done everything. */
async function done() {
  const backend = tf.backend();
  if (backend.commandEncoder) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
  await backend.queue.onSubmittedWorkDone();
}

/** Runs the job once. Returns its result, or for a training step the loss. */
function run() {
  if (job.op === "matmul") return tf.matMul(job.first, job.second);
  if (job.op === "softmax") return tf.softmax(job.first);
  return job.optimizer.minimize(job.loss, true, job.variables);
}

function drop() {
  if (!job) return;
  job.tensors.forEach((/** @type {any} */ tensor) => tensor.dispose());
  job.optimizer?.dispose();
  job = null;
}

/** @type {Record<string, (...args: any[]) => any>} */
const calls = {
  async init() {
    /** @type {any} */ (self).importScripts("tfjs/tf.min.js", "tfjs/tf-backend-webgpu.min.js");
    tf = /** @type {any} */ (self).tf;
    if (!(await tf.setBackend("webgpu"))) throw new Error("TensorFlow.js could not open its WebGPU backend");
    await tf.ready();
    return tf.version_core ?? tf.version["tfjs-core"];
  },
  async speedPrepare(about, seed, shapes) {
    const { inputs } = await import("./inputs.js");
    const { first, second, labels } = inputs(about, seed, shapes);
    const { op, size } = about;
    drop();
    if (op === "matmul") {
      const operands = [first, second].map((values) => tf.tensor2d(values, [size, size]));
      job = { op, first: operands[0], second: operands[1], tensors: operands };
    } else if (op === "softmax") {
      const logits = tf.tensor2d(first, [size, shapes.columns]);
      job = { op, first: logits, tensors: [logits] };
    } else {
      job = step(size, first, second, labels, shapes);
    }
  },
  async speedRun(times) {
    const began = performance.now();
    for (let index = 0; index < times; index++) run().dispose();
    await done();
    return performance.now() - began;
  },
  async speedSample(places) {
    if (job.op === "step") {
      const losses = [];
      for (let index = 0; index < places.length; index++) {
        const loss = run();
        losses.push((await loss.data())[0]);
        loss.dispose();
      }
      return Float32Array.from(losses);
    }
    const result = run();
    const values = await result.data();
    result.dispose();
    return Float32Array.from(places, (place) => values[place]);
  },
  speedDrop: drop,
};

/**
 * A training step by plain gradient descent on the mean cross-entropy.
 * @param {number} size
 * @param {Float32Array} features
 * @param {Float32Array} weights
 * @param {Uint8Array} labels
 * @param {any} shapes
 */
function step(size, features, weights, labels, { inputs, hidden, classes, rate }) {
  const x = tf.tensor2d(features, [size, inputs]);
  const targets = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, "int32"), classes).toFloat());
  const split = inputs * hidden;
  const variables = [
    tf.variable(tf.tensor2d(weights.slice(0, split), [inputs, hidden])),
    tf.variable(tf.zeros([hidden])),
    tf.variable(tf.tensor2d(weights.slice(split), [hidden, classes])),
    tf.variable(tf.zeros([classes])),
  ];
  const [w1, b1, w2, b2] = variables;
  const loss = () => {
    const logits = x.matMul(w1).add(b1).relu().matMul(w2).add(b2);
    return tf.losses.softmaxCrossEntropy(targets, logits);
  };
  return { op: "step", optimizer: tf.train.sgd(rate), loss, variables, tensors: [x, targets, ...variables] };
}

self.onmessage = async ({ data: { id, method, args } }) => {
  try {
    post({ id, result: await calls[method](...args) });
  } catch (error) {
    const known = error instanceof Error;
    post({ id, error: { name: known ? error.name : "Failed", message: known ? error.message : String(error) } });
  }
};
