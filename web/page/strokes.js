// @ts-check
// From pen strokes to 8 x 8 pixels, as the digits of the data set were made: a bitmap of 32 x 32, filled from top to bottom,
// whose blocks of 4 x 4 are counted. All digits in that data set have about the same amount of ink: short strokes are thick.

/** @typedef {{ x: number, y: number }} Point */

const BITMAP = 32;
const BLOCK = 4;
const SIDE = BITMAP / BLOCK;
/** Black pixels of a digit of the data, on average; a standard deviation is 33. */
const INK = 311;
/** The widest digits of the data; they are about 20 wide. */
const WIDEST = 23;
/** Half the widths of the thinnest and the thickest pen that are tried. */
const PENS = [1.2, 5.5];

/**
 * The pixels of a drawing, from 0 (paper) to 1 (ink), row by row; null where nothing is drawn.
 * @param {Point[][]} strokes
 * @returns {Float32Array | null}
 */
export function digit(strokes) {
  const points = strokes.flat();
  if (points.length === 0) return null;
  let [thin, thick] = PENS;
  // A wider pen gives more ink, so a bisection finds the right width.
  for (let step = 0; step < 7; step++) {
    const pen = (thin + thick) / 2;
    if (ink(bitmap(strokes, pen)) < INK) thin = pen;
    else thick = pen;
  }
  return blocks(bitmap(strokes, thin));
}

/** @param {Uint8Array} pixels */
const ink = (pixels) => pixels.reduce((sum, pixel) => sum + pixel, 0);

/**
 * The drawing as black and white pixels, with a round pen of this radius, fitted to the bitmap's height.
 * @param {Point[][]} strokes
 * @param {number} radius
 */
function bitmap(strokes, radius) {
  const points = strokes.flat();
  const [left, right] = range(points.map(({ x }) => x));
  const [top, bottom] = range(points.map(({ y }) => y));
  const room = BITMAP - 2 * radius;
  const [across, down] = [Math.max(right - left, 1e-6), Math.max(bottom - top, 1e-6)];
  // A dot or a horizontal stroke is not enlarged to the whole height.
  const scale = Math.min(room / down, (3 * room) / across);
  const wide = Math.min(scale * across, Math.max(WIDEST - 2 * radius, 1));
  const place = (/** @type {Point} */ { x, y }) => ({
    x: BITMAP / 2 + wide * ((x - left) / across - 0.5),
    y: BITMAP / 2 + scale * (y - (top + bottom) / 2),
  });
  const pixels = new Uint8Array(BITMAP * BITMAP);
  for (const stroke of strokes) {
    const placed = thinned(stroke.map(place));
    placed.forEach((point, index) => paint(pixels, placed[Math.max(index - 1, 0)], point, radius));
  }
  return pixels;
}

/** @param {number[]} values */
const range = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);

/** The points that are at least half a pixel apart, and the last one. @param {Point[]} points */
function thinned(points) {
  const kept = [points[0]];
  for (const point of points) {
    const { x, y } = kept[kept.length - 1];
    if (Math.hypot(point.x - x, point.y - y) >= 0.5) kept.push(point);
  }
  kept.push(points[points.length - 1]);
  return kept;
}

/**
 * Blackens the pixels whose centre is under a pen that moves from one point to another.
 * @param {Uint8Array} pixels
 * @param {Point} from
 * @param {Point} to
 * @param {number} radius
 */
function paint(pixels, from, to, radius) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const long = dx * dx + dy * dy;
  const first = (/** @type {number} */ a, /** @type {number} */ b) => Math.max(0, Math.floor(Math.min(a, b) - radius));
  const last = (/** @type {number} */ a, /** @type {number} */ b) => Math.min(BITMAP - 1, Math.ceil(Math.max(a, b) + radius));
  for (let row = first(from.y, to.y); row <= last(from.y, to.y); row++) {
    for (let column = first(from.x, to.x); column <= last(from.x, to.x); column++) {
      const [x, y] = [column + 0.5 - from.x, row + 0.5 - from.y];
      const along = long > 0 ? Math.min(1, Math.max(0, (x * dx + y * dy) / long)) : 0;
      if (Math.hypot(x - along * dx, y - along * dy) <= radius) pixels[BITMAP * row + column] = 1;
    }
  }
}

/** The share of black pixels in each block. @param {Uint8Array} pixels */
function blocks(pixels) {
  const shares = new Float32Array(SIDE * SIDE);
  pixels.forEach((pixel, index) => {
    const [row, column] = [Math.floor(index / BITMAP / BLOCK), Math.floor((index % BITMAP) / BLOCK)];
    shares[SIDE * row + column] += pixel / (BLOCK * BLOCK);
  });
  return shares;
}
