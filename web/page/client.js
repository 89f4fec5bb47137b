// @ts-check
// The page's side of the worker: a promise for each call, and a new worker if the old one breaks.

/** @typedef {{ resolve: (value: any) => void, reject: (error: Error) => void, watch?: (event: any) => void }} Waiting */

/** An error of this name. @param {string} name @param {string} message */
function named(name, message) {
  const error = new Error(message);
  error.name = name;
  return error;
}

export class Client {
  /** Called with the reason when the browser took the device away. @type {(reason: string) => void} */
  onLost = () => {};
  /** Called with the message after the module broke and a new worker was started. @type {(message: string) => void} */
  onReplaced = () => {};
  /** Called with the message when there is no worker any more, because a new one broke before it answered. @type {(message: string) => void} */
  onEnded = () => {};
  /** @type {Worker} */
  #worker;
  /** @type {Map<number, Waiting>} */
  #waiting = new Map();
  #next = 1;
  /** Whether the worker has ever answered. A worker that cannot even be loaded is not started again. */
  #answered = false;
  /** Why there is no worker any more. */
  #ended = "";
  #file;
  /** @type {WorkerType} */
  #type;

  /**
   * @param {string} [file] the worker's file
   * @param {WorkerType} [type]
   */
  constructor(file = "worker.js", type = "module") {
    this.#file = file;
    this.#type = type;
    this.#worker = this.#start();
  }

  /** Ends the worker for good. */
  end(why = "the worker has ended") {
    this.#ended = why;
    this.#worker.terminate();
    this.#rejectAll(why);
  }

  /** Replaces a worker that does not answer by a new one. @param {string} why */
  giveUp(why) {
    this.#replace(why);
  }

  /**
   * Calls a method of the worker.
   * @param {string} method
   * @param {any[]} [args]
   * @param {(event: any) => void} [watch] called with the events that the method sends before it ends
   * @returns {Promise<any>}
   */
  call(method, args = [], watch) {
    return new Promise((resolve, reject) => {
      if (this.#ended) throw named("Broken", this.#ended);
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject, watch });
      try {
        this.#worker.postMessage({ id, method, args });
      } catch (error) {
        this.#waiting.delete(id);
        reject(error);
      }
    });
  }

  #start() {
    const worker = new Worker(new URL(this.#file, import.meta.url), { type: this.#type });
    // A message that a worker sent before it was replaced may arrive later.
    worker.onmessage = ({ data }) => worker === this.#worker && this.#receive(data);
    worker.onmessageerror = () => worker === this.#worker && this.#replace("an answer of the worker could not be read");
    // A trap in the module arrives here after the panic's own message; any other error has not been reported yet.
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.#worker) this.#replace(event.message || "the worker could not be loaded");
    };
    return worker;
  }

  /** @param {any} message */
  #receive(message) {
    this.#answered = true;
    if (message.panic !== undefined) return this.#replace(message.panic);
    if (message.lost !== undefined) return this.onLost(message.lost);
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    if ("event" in message) return waiting.watch?.(message.event);
    this.#waiting.delete(message.id);
    if (message.error) waiting.reject(named(message.error.name, message.error.message));
    else waiting.resolve(message.result);
  }

  /** @param {string} why */
  #replace(why) {
    if (this.#ended) return;
    if (!this.#answered) {
      this.end(why);
      return this.onEnded(why);
    }
    this.#answered = false;
    this.#worker.terminate();
    this.#worker = this.#start();
    this.#rejectAll(why);
    this.onReplaced(why);
  }

  /** @param {string} why */
  #rejectAll(why) {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(named("Broken", why));
  }
}
