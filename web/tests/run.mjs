// Runs the browser tests where there is a browser and a service; else says aloud that they were skipped.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { reasonToSkip } from "./service.mjs";

const reason = reasonToSkip();
if (reason) {
  console.error(`skipped: the browser tests of the page: ${reason}`);
  process.exit(0);
}
const walk = fileURLToPath(new URL("./walk.test.mjs", import.meta.url));
process.exit(spawnSync(process.execPath, ["--test", "--test-reporter=spec", walk], { stdio: "inherit" }).status ?? 1);
