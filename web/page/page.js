// @ts-check
// Functions that all sections use: elements, messages, states, downloads, canvases in the page's colours.

/**
 * The element with this id.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element ${id}`);
  return /** @type {T} */ (found);
}

/**
 * Shows a message: an error, or advice.
 * @param {string} text
 * @param {"" | "bad" | "warning"} [kind]
 */
export function say(text, kind = "") {
  const message = byId("message");
  message.dataset.kind = kind;
  message.textContent = text;
}

/** The sentence of an error. @param {unknown} error */
export function sentence(error) {
  const text = error instanceof Error ? error.message : String(error);
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/**
 * Lets the message stay in the window while the page scrolls, unless it would take more than a third of the window. Where the page
 * scrolls to, it leaves room for the message, which would cover the control that gets the focus.
 */
export function keepClear() {
  const message = byId("message");
  const measure = () => {
    const high = message.offsetHeight;
    const long = high > innerHeight / 3;
    message.dataset.long = String(long);
    const covered = long ? 0 : high + 2 * parseFloat(getComputedStyle(message).top);
    document.documentElement.style.scrollPaddingTop = `${Math.ceil(covered)}px`;
  };
  new ResizeObserver(measure).observe(message);
  addEventListener("resize", measure);
}

/**
 * Shows a value, and keeps it for programs in `data-value`.
 * @param {string} id
 * @param {number | ""} value
 * @param {string} text
 */
export function show(id, value, text) {
  const output = byId(id);
  output.dataset.value = String(value);
  // A screen reader would read a text aloud again that is only replaced by an equal one.
  if (output.textContent !== text) output.textContent = text;
}

/** @param {number} share */
export const percent = (share) => `${(100 * share).toFixed(2)} %`;

/** The section whose button lost the focus when no other button could take it, and the time when the focus was last moved. */
let stranded = "";
let moved = -Infinity;

/**
 * Sets a section's state, and which of its buttons are enabled in it. If the button that has the focus is disabled, the focus moves to
 * the first enabled button, at once or as soon as there is one. Otherwise a user of the keyboard would lose the place on the page.
 * @param {string} section
 * @param {string} state
 * @param {Record<string, boolean>} buttons
 */
export function enter(section, state, buttons) {
  byId(section).dataset.state = state;
  const focused = document.activeElement?.id ?? "";
  for (const [id, enabled] of Object.entries(buttons)) {
    /** @type {HTMLButtonElement} */ (byId(id)).disabled = !enabled;
  }
  const isOff = buttons[focused] === false;
  if (isOff) stranded = section;
  const next = Object.keys(buttons).find((id) => buttons[id]);
  if (stranded !== section || !next) return;
  stranded = "";
  // If the user has moved the focus elsewhere meanwhile, it stays there.
  if (!isOff && document.activeElement !== document.body) return;
  byId(next).focus({ preventScroll: true });
  moved = performance.now();
}

/** A key that is pressed within so many milliseconds after the focus moved was meant for the button that had it before. */
const TOO_SOON = 300;

/** Prevents keys from pressing buttons that they are not meant for: a key held down would press Train, Stop and Go on in turns. */
export function guardKeys() {
  addEventListener("keydown", (event) => {
    const presses = event.target instanceof HTMLButtonElement && [" ", "Enter"].includes(event.key);
    if (presses && (event.repeat || performance.now() - moved < TOO_SOON)) event.preventDefault();
  });
}

/** Prevents a file that is dropped beside the field for files from taking the place of the page, which would lose the network. */
export function guardDrops() {
  for (const type of /** @type {const} */ (["dragover", "drop"])) {
    addEventListener(type, (event) => {
      const { dataTransfer, target } = event;
      const isField = target instanceof HTMLInputElement && target.type === "file";
      if (isField || !dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      dataTransfer.dropEffect = "none";
    });
  }
}

/**
 * Offers the user a file for download.
 * @param {BlobPart} content
 * @param {string} name
 * @param {string} type
 */
export function download(content, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // By then the browser has begun to read the file.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The page's colour of this name, as the style sheet sets it now. @param {string} name */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * Gives a canvas the resolution of the screen, and returns its width and height in CSS pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {number} ratio height over width
 */
export function sharp(canvas, ratio) {
  const width = canvas.clientWidth || canvas.width;
  const height = Math.round(width * ratio);
  const scale = Math.min(window.devicePixelRatio || 1, 3);
  const [across, down] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== across || canvas.height !== down) {
    canvas.width = across;
    canvas.height = down;
  }
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  return { pen, width, height };
}

/** Draws again when the window or the colours change. @param {() => void} redraw */
export function onAppearance(redraw) {
  let asked = 0;
  const soon = () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(redraw);
  };
  window.addEventListener("resize", soon);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", soon);
}

/**
 * Returns a function that does its work at most once in so many milliseconds, and once more if it was called meanwhile.
 * @param {number} pause
 * @param {() => Promise<void> | void} work
 */
export function paced(pause, work) {
  let running = false;
  let again = false;
  return async function ask() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    const began = performance.now();
    try {
      await work();
    } finally {
      // Work that takes long gets longer pauses, so that showing a training leaves time for the training.
      const taken = performance.now() - began;
      setTimeout(() => {
        running = false;
        if (again) {
          again = false;
          void ask();
        }
      }, Math.max(pause, 3 * taken));
    }
  };
}
