// Runs the browser tests where there is a browser and a service; else says aloud that they were skipped.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PICTURES, reasonToSkip, SERVICE_SAID } from "./service.mjs";

/** Of the service's log, where a test failed. */
const LAST_LINES = 12;

const reason = reasonToSkip();
if (reason) {
  console.error(`skipped: the browser tests of the page: ${reason}`);
  process.exit(0);
}
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const failures = join(PICTURES, "failures.txt");
mkdirSync(PICTURES, { recursive: true });

const reports = ["--test-reporter=spec", "--test-reporter-destination=stdout", `--test-reporter=${here("./failures.mjs")}`, `--test-reporter-destination=${failures}`];
const { status } = spawnSync(process.execPath, ["--test", ...reports, here("./walk.test.mjs")], { stdio: "inherit" });
if (status !== 0) {
  const read = (path) => (existsSync(path) ? readFileSync(path, "utf8").trimEnd() : "");
  const { bavail, bsize } = statfsSync(tmpdir());
  console.error(`\nthe service's last lines:\n${read(SERVICE_SAID).split("\n").slice(-LAST_LINES).join("\n")}`);
  console.error(`${Math.round((bavail * bsize) / 2 ** 20)} MiB are free in ${tmpdir()}, the pictures are in ${PICTURES}. What failed, first to last:\n${read(failures)}`);
}
process.exit(status ?? 1);
