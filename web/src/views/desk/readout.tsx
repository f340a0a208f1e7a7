/** What is known of the place under the pointer. */
import { signal } from "@preact/signals";
import { fixed } from "../../lib/format";
import type { Desk } from "../../state/desk";
import * as route from "../../state/route";

export interface Reading {
  x: number;
  y: number;
  part: string;
  node: number;
  deviation: [number, number, number] | null;
  sigma: number | null;
  /** False where no camera saw the place: its deviation is estimated. */
  seen: boolean;
  plastic: number;
  flag: number;
}

export const readout = signal<Reading | null>(null);

export function readNode(here: Desk, node: number, x: number, y: number): Reading | null {
  const state = here.model.peek()?.state(route.moment.peek());
  if (!state) return null;
  const part = here.node_part?.[node] ?? -1;
  const sigma = state.sigma_mm[node] ?? -1;
  const measured = sigma >= 0 && !here.blind.peek();
  return {
    x, y, node,
    part: here.result.peek()?.parts.find((each) => each.id === part)?.name ?? here.simulation.peek()?.parts.find((each) => each.id === part)?.name ?? `part ${part}`,
    deviation: measured ? [state.deviation_mm[3 * node]!, state.deviation_mm[3 * node + 1]!, state.deviation_mm[3 * node + 2]!] : null,
    sigma: measured ? sigma : null,
    seen: (state.seen[node] ?? 1) > 0,
    plastic: state.plastic_strain[node] ?? 0,
    flag: here.blind.peek() ? 0 : here.flagAtNode(node),
  };
}

export function Readout() {
  const now = readout.value;
  if (!now) return null;
  // To the left of the pointer where the right has no room.
  const left = now.x + 220 > innerWidth ? now.x - 216 : now.x + 16;
  const top = now.y + 110 > innerHeight ? now.y - 96 : now.y + 16;
  return (
    <div class="readout" style={{ position: "fixed", transform: `translate(${left}px, ${top}px)` }}>
      <div><b>{now.part}</b>{now.flag ? ` · flag ${now.flag}` : ""} <span>node {now.node}</span></div>
      {now.deviation && now.sigma !== null ? (
        <>
          <div><b>{fixed(Math.hypot(...now.deviation), 1)} ± {fixed(now.sigma, 1)} mm</b> <span>{now.seen ? "deviation" : "estimated, not seen"}</span></div>
          <div><span>x {fixed(now.deviation[0], 1)}, y {fixed(now.deviation[1], 1)}, z {fixed(now.deviation[2], 1)} mm</span></div>
        </>
      ) : <div><span>deviation not known</span></div>}
      <div><span>plastic strain</span> {fixed(now.plastic, 3)}</div>
    </div>
  );
}
