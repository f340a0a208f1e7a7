/** The pin-hole camera of a result as the two matrices that WebGL wants, and points projected by hand. */
import type { CanvasCamera } from "./contract";

/** A rectangle of the canvas, px. */
export interface Window {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** Column-major 4 x 4 from world (mm) to a camera that looks along -z with y up, as WebGL has it. */
export function viewFromWorld(camera: CanvasCamera): number[] {
  const p = camera.pose;
  const sign = [1, -1, -1, 1];
  const out: number[] = [];
  for (let column = 0; column < 4; column++) for (let row = 0; row < 4; row++) out.push(sign[row]! * p[4 * row + column]!);
  return out;
}

/**
 * Column-major 4 x 4 to clip space for the rectangle of the canvas from (x0, y0) to (x1, y1), px; the whole canvas is
 * (-0.5, -0.5) to (width - 0.5, height - 0.5) because pixel (0, 0) is the centre of the first one.
 */
export function clipFromView(camera: CanvasCamera, window: Window, near: number, far: number): number[] {
  const { fx, fy, cx, cy } = camera;
  const w = window.x1 - window.x0;
  const h = window.y1 - window.y0;
  return [
    (2 * fx) / w, 0, 0, 0,
    0, (2 * fy) / h, 0, 0,
    1 - (2 * (cx - window.x0)) / w, (2 * (cy - window.y0)) / h - 1, -(far + near) / (far - near), -1,
    0, 0, (-2 * far * near) / (far - near), 0,
  ];
}

/** Where the canvas shows a point, px, and its depth along the view, mm. */
export function pixelFromWorld(camera: CanvasCamera, x: number, y: number, z: number): [number, number, number] {
  const p = camera.pose;
  const vx = p[0]! * x + p[1]! * y + p[2]! * z + p[3]!;
  const vy = p[4]! * x + p[5]! * y + p[6]! * z + p[7]!;
  const vz = p[8]! * x + p[9]! * y + p[10]! * z + p[11]!;
  return [camera.cx + (camera.fx * vx) / vz, camera.cy + (camera.fy * vy) / vz, vz];
}
