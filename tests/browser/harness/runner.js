// Runs checks one after the other and prints a line for each.

import { PATIENCE } from "./patience.js";

/**
 * A check is `{ name, seconds, run(t) }`. Its name is a sentence that is true when `run` returns in PATIENCE times these
 * seconds. `t.page()` gives the page that the checks of one list share; it is opened again after a check has failed.
 * `t.open(options)` gives a page of the check's own. An error in a page's console fails a check, unless `t.mayComplain(pattern)` allows it.
 * `t.note` is printed behind the name.
 */
export class Runner {
  #passed = 0;
  #failed = 0;

  constructor({ only = "", options, openPage }) {
    this.only = only;
    this.options = options;
    this.openPage = openPage;
  }

  async list(title, checks, shared = {}) {
    const chosen = checks.filter(({ name }) => `${title}: ${name}`.includes(this.only));
    if (!chosen.length) return;
    console.log(`\n${title}`);
    const state = { page: undefined };
    for (const check of chosen) await this.#check(check, state, shared);
    await quietly(state.page?.shut());
  }

  async #check(check, state, shared) {
    const started = Date.now();
    const watched = new Set();
    const ending = [];
    const allowed = [];
    const watch = (page) => {
      watched.add(page);
      return page;
    };
    const t = {
      options: this.options,
      note: "",
      page: async () => watch((state.page ??= await this.openPage(shared))),
      open: async (options = {}) => {
        const page = await this.openPage({ ...shared, ...options });
        ending.push(() => page.shut());
        return watch(page);
      },
      mayComplain: (pattern) => allowed.push(pattern),
    };
    let why;
    try {
      await within((check.seconds ?? 60) * PATIENCE, check.run(t));
    } catch (error) {
      why = error;
    }
    for (const page of watched) {
      const faults = page.faults.filter((fault) => !allowed.some((pattern) => pattern.test(fault)));
      if (faults.length) why ??= Object.assign(new Error(faults.join("\n")), { stack: "" });
      page.faults.length = 0;
    }
    for (const end of ending.reverse()) await quietly(end());
    if (why && state.page) {
      await quietly(state.page.shut());
      state.page = undefined;
    }
    const took = `${((Date.now() - started) / 1000).toFixed(1)} s`.padStart(8);
    console.log(`${why ? "FAILED" : "ok    "} ${took}  ${check.name}${t.note && ` (${t.note})`}`);
    if (why) console.log(indented(why));
    if (why) this.#failed += 1;
    else this.#passed += 1;
  }

  /** Prints the sums, and returns the number of failures. */
  finish() {
    console.log(`\n${this.#passed} passed, ${this.#failed} failed`);
    if (!this.#passed && !this.#failed) console.log("no check has a name that --only gives");
    return this.#failed + (this.#passed + this.#failed === 0);
  }
}

function indented(error) {
  const text = String(error.name === "TimeoutError" ? error.message : error.stack || (error.message ?? error));
  const lines = text.split("\n").slice(0, 12);
  return lines.map((line) => `                 ${line}`).join("\n");
}

async function within(seconds, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Closing must not hide the reason of a failure, and a browser that hangs must not delay the others.
async function quietly(work) {
  try {
    await within(20, work);
  } catch {
    // The page is closed with the browser.
  }
}
