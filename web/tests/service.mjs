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

/** `{ url, stop }`; waits until the service says that it is ready. */
export async function startService() {
  if (process.env.CRUMPLE_URL) return { url: process.env.CRUMPLE_URL.replace(/\/$/, ""), stop: async () => {} };
  const folder = mkdtempSync(join(tmpdir(), "crumple-page-"));
  const port = await freePort();
  const child = spawn(BINARY, ["serve", "--listen", `127.0.0.1:${port}`, "--data", folder], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const pipe of [child.stdout, child.stderr]) pipe.on("data", (piece) => { said = (said + piece).slice(-4000); });
  const ended = new Promise((done) => child.on("exit", done));
  const url = `http://127.0.0.1:${port}`;
  const until = Date.now() + START_MS;
  for (;;) {
    const ready = await fetch(`${url}/readyz`).then((reply) => reply.ok, () => false);
    if (ready) break;
    if (child.exitCode !== null || Date.now() > until) {
      child.kill();
      throw new Error(`the service did not start:\n${said}`);
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  return {
    url,
    stop: async () => {
      child.kill("SIGTERM");
      await Promise.race([ended, new Promise((done) => setTimeout(done, 10_000))]);
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
