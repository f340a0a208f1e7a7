import { expect, test, vi } from "vitest";

// The state reads the browser's own; the rate does not.
vi.stubGlobal("location", { pathname: "/", search: "" });
vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener() {} }));
vi.stubGlobal("localStorage", { getItem: () => null, setItem() {} });
const { rateOf } = await import("./suggest");

test("a rate needs pictures over some time, not two in a burst", () => {
  expect(rateOf([])).toBeNull();
  expect(rateOf([0, 1, 2, 3])).toBeNull();
  expect(rateOf([0, 50, 100, 150, 200])).toBeCloseTo(20);
});
