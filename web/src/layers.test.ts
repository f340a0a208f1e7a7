import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SRC = dirname(fileURLToPath(import.meta.url));
/** An import may only go to the left. */
const LAYERS = ["lib", "gl", "state", "views"];

test("imports only go down: lib, gl, state, views", () => {
  const upward: string[] = [];
  for (const name of readdirSync(SRC, { recursive: true, encoding: "utf8" })) {
    if (!/\.tsx?$/.test(name) || !name.includes("/")) continue;
    const here = LAYERS.indexOf(name.split("/")[0]!);
    for (const [, from] of readFileSync(join(SRC, name), "utf8").matchAll(/from "(\.[^"]+)"/g)) {
      const there = LAYERS.indexOf(relative(SRC, join(SRC, dirname(name), from!)).split("/")[0]!);
      if (there > here) upward.push(`${name} imports ${from}`);
    }
  }
  expect(upward).toEqual([]);
});
