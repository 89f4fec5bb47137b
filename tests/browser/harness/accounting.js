// Scripts that run before the page's workers: they count the workers' objects on the GPU, hide WebGPU from the workers, or break something.

// The text of this function runs in the worker.
function count() {
  if (!self.GPUAdapter) return;
  const devices = [];
  const sizes = new WeakMap();
  // A buffer that was garbage-collected without `destroy` was freed by chance, but it is freed.
  const collected = new FinalizationRegistry(({ of, size, state }) => {
    if (state.destroyed) return;
    of.collected += 1;
    of.buffers -= 1;
    of.bytes -= size;
  });
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...args) {
    const device = await requestDevice.apply(this, args);
    const of = { device, lost: false, buffers: 0, bytes: 0, created: 0, destroyed: 0, collected: 0 };
    device.lost.then(() => Object.assign(of, { lost: true, buffers: 0, bytes: 0 }));
    devices.push(of);
    return device;
  };
  const createBuffer = GPUDevice.prototype.createBuffer;
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    const of = devices.find(({ device }) => device === this);
    if (of && !of.lost) {
      const state = { destroyed: false };
      sizes.set(buffer, { of, size: descriptor.size, state });
      collected.register(buffer, { of, size: descriptor.size, state });
      of.created += 1;
      of.buffers += 1;
      of.bytes += descriptor.size;
    }
    return buffer;
  };
  const destroy = GPUBuffer.prototype.destroy;
  GPUBuffer.prototype.destroy = function () {
    const kept = sizes.get(this);
    if (kept && !kept.state.destroyed) {
      kept.state.destroyed = true;
      kept.of.destroyed += 1;
      if (!kept.of.lost) {
        kept.of.buffers -= 1;
        kept.of.bytes -= kept.size;
      }
    }
    return destroy.call(this);
  };
  self.gpuDevices = devices;
}

/** Counts devices, and buffers from `createBuffer` to `destroy`; read by `gpuAccounts` and `loseDevice`. */
export const COUNTED = `(${count})();`;

/** Imitates a browser that has no WebGPU. */
export const HIDDEN = "delete (self.WorkerNavigator ?? self.Navigator).prototype.gpu;";

/** Imitates a browser that gives no answer about an adapter. */
export const SILENT = "if (self.GPU) GPU.prototype.requestAdapter = () => new Promise(() => {});";

/** Imitates a driver that fails soon after each start. */
export const DYING = `if (self.GPUAdapter) {
  const request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (...args) {
    const device = await request.apply(this, args);
    setTimeout(() => device.destroy(), 200);
    return device;
  };
}`;

/** Imitates a browser in which WebAssembly is switched off. */
export const WITHOUT_WASM = "delete self.WebAssembly;";

/** Imitates a module that panics when it opens the device. */
export const BREAKS_OVER_GPU = `if (self.GPUAdapter) GPUAdapter.prototype.requestDevice = () => {
  self.postMessage({ panic: "a test broke it" });
  return new Promise(() => {});
};`;

/** Imitates a TensorFlow.js that breaks while it is measured. */
export const BREAKS_PEER = `if (self.location.pathname.endsWith("tfjs-worker.js")) {
  let runs = 0;
  self.addEventListener("message", ({ data }) => {
    if (data.method === "speedRun" && (runs += 1) === 3) setTimeout(() => { throw new Error("a test broke it"); });
  });
}`;

/** Tells the page that the module panicked, as its worker does. */
export async function breakModule(page) {
  for (const worker of page.workers()) {
    // The page ends the worker after this message, so this call must be answered first.
    await worker.evaluate(() => void setTimeout(() => self.postMessage({ panic: "a test broke it" }), 50));
  }
}

/** The workers of a page that have opened a device. */
async function workersWithDevices(page) {
  const found = [];
  for (const worker of page.workers()) {
    if (await worker.evaluate(() => self.gpuDevices?.length > 0)) found.push(worker);
  }
  return found;
}

/** The objects that the page has on the GPU now. */
export async function gpuAccounts(page) {
  const total = { devices: 0, buffers: 0, bytes: 0, created: 0, destroyed: 0, collected: 0 };
  for (const worker of await workersWithDevices(page)) {
    const of = await worker.evaluate(() =>
      self.gpuDevices.map(({ device, lost, ...counts }) => ({ devices: lost ? 0 : 1, ...counts })),
    );
    for (const counts of of) for (const name in total) total[name] += counts[name];
  }
  return total;
}

/** Destroys each device that the page has open, like a driver that is restarted. Returns their number. */
export async function loseDevice(page) {
  let lost = 0;
  for (const worker of await workersWithDevices(page)) {
    lost += await worker.evaluate(async () => {
      const open = self.gpuDevices.filter((of) => !of.lost);
      for (const { device } of open) device.destroy();
      return open.length;
    });
  }
  return lost;
}

/** Makes the next matrix of the page fail for lack of memory, which browsers report after the call. */
export async function shortOfMemory(page) {
  for (const worker of await workersWithDevices(page)) {
    await worker.evaluate(() => {
      const { createBuffer, popErrorScope } = GPUDevice.prototype;
      let [armed, failed] = [true, false];
      GPUDevice.prototype.createBuffer = function (descriptor) {
        const buffer = createBuffer.call(this, descriptor);
        if (armed && descriptor.label === "matrix") {
          [armed, failed] = [false, true];
          buffer.destroy();
        }
        return buffer;
      };
      GPUDevice.prototype.popErrorScope = function () {
        const answer = popErrorScope.call(this);
        if (!failed) return answer;
        failed = false;
        // Not another promise behind this one: the answer of a later scope, which may come with it, would be heard before.
        const then = answer.then.bind(answer);
        answer.then = (resolve, reject) => then(() => resolve(new GPUOutOfMemoryError("there is no room for it")), reject);
        return answer;
      };
    });
  }
}
