// What the browser tests run against: the service that CRUMPLE_URL names, or one that is started here from the built
// binary on a free port with an empty folder for its state.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const EXAMPLE = join(ROOT, "fixtures/example");
/** Where pictures of each step are kept, and what the service said last. */
export const PICTURES = join(ROOT, "target/page");
export const SERVICE_SAID = join(PICTURES, "service.log");
const BINARY = process.env.CRUMPLE ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release/crumple");
const BROWSERS = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const START_MS = 30_000;

export const browserPath = () => BROWSERS.find((path) => path && existsSync(path)) ?? null;

/** Why the tests cannot run here, or null. */
export function reasonToSkip() {
  if (!browserPath()) return "there is no Chromium (apt-get install chromium, or set CHROMIUM)";
  if (!process.env.CRUMPLE_URL && !existsSync(BINARY)) return `there is no ${BINARY} (make build, or set CRUMPLE_URL)`;
  return null;
}

function freePort() {
  return new Promise((found, failed) => {
    const server = createServer();
    server.on("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => found(port));
    });
  });
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function ready(url, what, child, said) {
  const until = Date.now() + START_MS;
  while (!(await fetch(url).then((reply) => reply.ok, () => false))) {
    if (child.exitCode !== null || Date.now() > until) {
      child.kill("SIGKILL");
      throw new Error(`${what} did not start:\n${said()}`);
    }
    await pause(100);
  }
}

function begin(command, words, environment = {}) {
  const child = spawn(command, words, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...environment } });
  let said = "";
  for (const pipe of [child.stdout, child.stderr]) pipe.on("data", (piece) => { said = (said + piece).slice(-4000); });
  const ended = new Promise((done) => child.on("exit", done));
  const stop = async (signal = "SIGTERM") => {
    child.kill(signal);
    await Promise.race([ended, pause(10_000)]);
    child.kill("SIGKILL");
    await ended;
  };
  return { child, said: () => said, stop };
}

/**
 * `{ url, stop, restart }`, when it is ready. `restart` kills the service as a power cut would and starts it on the same
 * folder; null where it is not ours. A binary that was built before the page gets web/dist through Vite's preview.
 */
export async function startService() {
  if (process.env.CRUMPLE_URL) return { url: process.env.CRUMPLE_URL.replace(/\/$/, ""), said: () => "", stop: async () => {}, restart: null };
  const folder = mkdtempSync(join(tmpdir(), "crumple-page-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let service;
  const start = async () => {
    service = begin(BINARY, ["serve", "--listen", `127.0.0.1:${port}`, "--data", folder]);
    await ready(`${url}/readyz`, "the service", service.child, service.said);
  };
  await start();
  const has_page = ((await fetch(url)).headers.get("content-type") ?? "").includes("html");
  let front = url;
  let preview = null;
  if (!has_page) {
    const at = await freePort();
    front = `http://127.0.0.1:${at}`;
    const vite = join(ROOT, "web/node_modules/vite/bin/vite.js");
    preview = begin(process.execPath, [vite, "preview", join(ROOT, "web"), "--host", "127.0.0.1", "--port", String(at), "--strictPort"], { SERVICE: url });
    await ready(front, "the preview", preview.child, preview.said);
  }
  return {
    url: front,
    said: () => service.said(),
    restart: async (meanwhile) => {
      await service.stop("SIGKILL");
      await meanwhile?.();
      await start();
    },
    stop: async () => {
      await preview?.stop();
      await service.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
