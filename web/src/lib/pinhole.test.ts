import { expect, test } from "vitest";
import type { CanvasCamera } from "./contract";
import { clipFromView, pixelFromWorld, viewFromWorld } from "./pinhole";

const CAMERA: CanvasCamera = {
  name: "left", width: 640, height: 480, fx: 900, fy: 880, cx: 310, cy: 250, frames: [], mm_per_px: 1, moved_px: 0, target_rms_px: null,
  pose: [0.8, 0, 0.6, 10, 0, 1, 0, -20, -0.6, 0, 0.8, 900, 0, 0, 0, 1],
};

function times(m: number[], v: number[]): number[] {
  return [0, 1, 2, 3].map((row) => m[row]! * v[0]! + m[4 + row]! * v[1]! + m[8 + row]! * v[2]! + m[12 + row]! * v[3]!);
}

test("WebGL draws a point on the pixel that the pin-hole says", () => {
  const whole = { x0: -0.5, y0: -0.5, x1: CAMERA.width - 0.5, y1: CAMERA.height - 0.5 };
  for (const point of [[0, 0, 0], [60, -30, 200], [-100, 80, 40]] as [number, number, number][]) {
    const clip = times(clipFromView(CAMERA, whole, 10, 5000), times(viewFromWorld(CAMERA), [...point, 1]));
    const [u, v, depth] = pixelFromWorld(CAMERA, ...point);
    expect(depth).toBeGreaterThan(0);
    expect(((clip[0]! / clip[3]! + 1) / 2) * CAMERA.width - 0.5).toBeCloseTo(u, 6);
    expect(((1 - clip[1]! / clip[3]!) / 2) * CAMERA.height - 0.5).toBeCloseTo(v, 6);
  }
});
