import { expect, test } from "vitest";
import { pairsOf, sharedWords } from "./pairing";

const named = (name: string) => ({ id: name, name });

test("names are compared word by word, without their endings", () => {
  expect(sharedWords("Bumper-T3_left.h5", "bumper T3.vtkhdf")).toBe(3);
  expect(sharedWords("bumper.h5", "bump.vtkhdf")).toBe(0);
  expect(sharedWords("run_016.vtkhdf", "run_01.h5")).toBe(1);
});

test("a test gets the simulation whose name begins most like its own, and none where no name or more than one fits", () => {
  const runs = ["bumper.vtkhdf", "crash_box_1.vtkhdf", "crash_box_2.vtkhdf"].map(named);
  const pairs = pairsOf(["bumper_T3", "crash_box_2", "crash_box_7", "replay"].map(named), runs, new Map());
  expect(pairs.map(({ simulation, by }) => [simulation?.name ?? null, by])).toEqual([
    ["bumper.vtkhdf", "name"], ["crash_box_2.vtkhdf", "name"], [null, "several"], [null, "none"],
  ]);
});

test("what somebody chose stands, and the same run sent twice is no doubt", () => {
  const twice = [{ id: "new", name: "a.vtkhdf" }, { id: "old", name: "a.vtkhdf" }];
  expect(pairsOf([named("a")], twice, new Map())[0]).toMatchObject({ simulation: { id: "new" }, by: "name" });
  expect(pairsOf([named("z")], twice, new Map([["z", "old"]]))[0]).toMatchObject({ simulation: { id: "old" }, by: "chosen" });
});
