/** How long a flag is there. */
import type { CanvasCamera, Flag } from "./contract";

/** The last film time at which a camera has the flag in its picture, s; null where no box says so. */
export function lastTime(flag: Pick<Flag, "bbox_px">, cameras: readonly Pick<CanvasCamera, "name" | "frames">[], times_s: readonly number[]): number | null {
  let last: number | null = null;
  for (const [name, boxes] of Object.entries(flag.bbox_px)) {
    const frames = cameras.find((each) => each.name === name)?.frames ?? [];
    const newest = Math.max(-1, ...Object.keys(boxes).map(Number));
    const time_s = newest < 0 ? undefined : times_s[frames.lastIndexOf(newest)];
    if (time_s !== undefined && (last === null || time_s > last)) last = time_s;
  }
  return last;
}
