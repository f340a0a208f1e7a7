import { expect, test } from "vitest";
import { lastTime } from "./flagtime";

test("a flag lasts until the last picture of any camera that has a box of it", () => {
  const box = { x0: 0, y0: 0, x1: 1, y1: 1 };
  const cameras = [{ name: "left", frames: [4, 5, 6, null] }, { name: "right", frames: [0, null, 1, 2] }];
  const times_s = [0, 0.001, 0.002, 0.003];
  expect(lastTime({ bbox_px: { left: { 4: box, 5: box }, right: { 0: box } } }, cameras, times_s)).toBe(0.001);
  expect(lastTime({ bbox_px: { left: { 5: box }, right: { 2: box } } }, cameras, times_s)).toBe(0.003);
  expect(lastTime({ bbox_px: { left: { 9: box } } }, cameras, times_s)).toBeNull();
  expect(lastTime({ bbox_px: {} }, cameras, times_s)).toBeNull();
});
