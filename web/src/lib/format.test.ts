import { expect, test } from "vitest";
import { bytes, fixed, ms, roundStep, roundUp, seconds } from "./format";

test("numbers keep their unit, their places and a true minus", () => {
  expect(ms(-0.0004868)).toBe("−0.49 ms");
  expect(fixed(-0.0001, 1)).toBe("0.0");
  expect(fixed(Number.NaN, 1)).toBe("–");
  expect(bytes(7812006)).toBe("7.5 MiB");
  expect(seconds(75)).toBe("1 min 15 s");
});

test("round numbers are at or above and close", () => {
  for (const value of [0.0123, 0.99, 1, 7.2, 18.8, 20, 99, 1234]) {
    const top = roundUp(value);
    expect(top).toBeGreaterThanOrEqual(value * (1 - 1e-6));
    expect(top).toBeLessThan(value * 1.67);
  }
  expect(roundStep(20, 8)).toBe(2);
});
