// A static server on a free port, for this machine only.

import { createServer } from "node:http";
import { readFile, stat } from "node:fs/promises";
import { extname, join, normalize, sep } from "node:path";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/**
 * Serves a folder. If `beforeWorkers` is given, this script runs first in each worker. It has ended before the page can
 * open a device there; a debugger that attaches to a worker could be too late. With `isolated` no other page shares the
 * page's process, so that the browser lets it measure its own memory.
 */
export async function serve(folder, { beforeWorkers = "", isolated = false } = {}) {
  const server = createServer((request, response) => {
    if (isolated) {
      response.setHeader("cross-origin-opener-policy", "same-origin");
      response.setHeader("cross-origin-embedder-policy", "require-corp");
    }
    answer(folder, beforeWorkers, request, response).catch((error) => {
      response.writeHead(error.code === "ENOENT" ? 404 : 500).end(String(error));
    });
  });
  return listening(server);
}

/** Serves one page for every request. */
export async function serveText(text) {
  return listening(createServer((_, response) => response.setHeader("content-type", TYPES[".html"]).end(text)));
}

async function listening(server) {
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(folder, beforeWorkers, request, response) {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  let file = join(folder, path);
  if (file !== folder && !file.startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
    return response.writeHead(403).end();
  }
  if ((await stat(file)).isDirectory()) file = join(file, "index.html");
  const type = TYPES[extname(file)] ?? "application/octet-stream";
  let body = await readFile(file);
  const toWorker = ["worker", "sharedworker"].includes(request.headers["sec-fetch-dest"]);
  if (toWorker && type.startsWith("text/javascript")) body = `${beforeWorkers}\n${body}`;
  // Nothing is cached between pages, so each loads like the first.
  response.writeHead(200, { "content-type": type, "cache-control": "no-store" }).end(body);
}
