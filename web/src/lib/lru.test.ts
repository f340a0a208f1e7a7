import { expect, test } from "vitest";
import { Lru } from "./lru";

test("the longest unused falls out first and is dropped once", () => {
  const dropped: string[] = [];
  const cache = new Lru<string>(10, (value) => dropped.push(value));
  cache.set("a", "A", 4);
  cache.set("b", "B", 4);
  cache.get("a");
  cache.set("c", "C", 4);
  expect(dropped).toEqual(["B"]);
  expect(cache.has("a") && cache.has("c")).toBe(true);
  cache.set("huge", "H", 99);
  expect(cache.get("huge")).toBe("H");
  cache.clear();
  expect(dropped.sort()).toEqual(["A", "B", "C", "H"]);
});
