import { expect, test } from "vitest";
import { placeOf } from "./place";

test("a path names a place, and one that names none is nowhere rather than an error", () => {
  expect(placeOf("/reviews/a%20b")).toEqual({ view: "desk", review: "a b" });
  expect(placeOf("/export")).toEqual({ view: "export", review: null });
  for (const path of ["/reviews/%E0%A4%A", "/%E0%A4%A", "/reviews/1/2", "/elsewhere"]) expect(placeOf(path)).toEqual({ view: "nowhere" });
});
