// @ts-check
// Random inputs of the jobs that are measured: the same numbers in both workers from the same seed.

/** @typedef {{ op: string, size: number }} About */
/** @typedef {{ columns: number, inputs: number, hidden: number, classes: number, rate: number }} Shapes */

/** A generator of numbers from 0 to 1 (mulberry32). @param {number} seed */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Random numbers from -reach to reach.
 * @param {number} count
 * @param {number} reach
 * @param {() => number} random
 */
function spread(count, reach, random) {
  const values = new Float32Array(count);
  for (let index = 0; index < count; index++) values[index] = reach * (2 * random() - 1);
  return values;
}

/**
 * The operands of a job: two square matrices, or logits, or a batch with the weights of both layers and labels.
 * @param {About} about
 * @param {number} seed
 * @param {Shapes} shapes
 */
export function inputs({ op, size }, seed, shapes) {
  const random = generator(seed);
  const none = { second: new Float32Array(0), labels: new Uint8Array(0) };
  if (op === "matmul") {
    return { ...none, first: spread(size * size, 1, random), second: spread(size * size, 1, random) };
  }
  if (op === "softmax") return { ...none, first: spread(size * shapes.columns, 4, random) };
  const first = spread(size * shapes.inputs, 1, random);
  const second = new Float32Array(shapes.inputs * shapes.hidden + shapes.hidden * shapes.classes);
  second.set(spread(shapes.inputs * shapes.hidden, Math.sqrt(6 / shapes.inputs), random));
  second.set(spread(shapes.hidden * shapes.classes, Math.sqrt(6 / shapes.hidden), random), shapes.inputs * shapes.hidden);
  const labels = new Uint8Array(size);
  for (let row = 0; row < size; row++) labels[row] = Math.floor(shapes.classes * random());
  return { first, second, labels };
}

/**
 * Indices into a job's result that are checked, spread over all of it.
 * @param {number} count
 * @param {number} length
 */
export function places(count, length) {
  const random = generator(length);
  return Uint32Array.from({ length: count }, () => Math.floor(length * random()));
}

/**
 * The right results at these indices, computed in 64-bit numbers.
 * @param {About} about
 * @param {ReturnType<typeof inputs>} given
 * @param {Uint32Array} wanted
 * @param {Shapes} shapes
 */
export function expected({ op, size }, { first, second }, wanted, shapes) {
  return Float64Array.from(wanted, (place) => {
    if (op === "matmul") {
      const [row, column] = [Math.floor(place / size), place % size];
      let sum = 0;
      for (let k = 0; k < size; k++) sum += first[row * size + k] * second[k * size + column];
      return sum;
    }
    const start = place - (place % shapes.columns);
    let sum = 0;
    for (let column = 0; column < shapes.columns; column++) sum += Math.exp(first[start + column] - first[place]);
    return 1 / sum;
  });
}
