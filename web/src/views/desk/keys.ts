/** The keys of the desk. */
import { COMPARISONS, type Comparison } from "../../gl/filmarea";
import { QUANTITIES } from "../../gl/meshmodel";
import type { Key } from "../../lib/keys";
import { pictures_per_s, RATES, type Desk } from "../../state/desk";
import * as overlay from "../../state/overlay";
import * as route from "../../state/route";
import { films, space } from "./reach";
import { verdict_wish } from "./verdict";

const COMPARISON_KEYS: Record<Comparison, string> = { film: "f", predicted: "p", onion: "o", wipe: "w", blink: "b", beside: "s" };
export const COMPARISON_NAMES: Record<Comparison, string> = {
  film: "Film", predicted: "Predicted", onion: "Onion", wipe: "Wipe", blink: "Blink", beside: "Beside",
};
const COMPARISON_SAYS: Record<Comparison, string> = {
  film: "the film alone", predicted: "the predicted picture alone", onion: "onion skin: both through each other",
  wipe: "wipe: film left, predicted right", blink: "blink: one after the other", beside: "predicted beside real",
};
export const comparisonKey = (comparison: Comparison) => COMPARISON_KEYS[comparison];
export const comparisonSays = (comparison: Comparison) => COMPARISON_SAYS[comparison];

const turn = (which: { value: boolean; peek: () => boolean }) => () => { which.value = !which.peek(); };

/** Moments at which something begins: onsets of flags and of parts, seconds. */
function onsets(here: Desk): number[] {
  if (here.blind.peek()) return [];
  const all = [...here.flags.peek().map((each) => each.onset_s), ...(here.result.peek()?.parts ?? []).flatMap((each) => each.onset_s ?? [])];
  return [...new Set(all.map((each) => route.nearest(route.moments_s.peek(), each)))].sort((a, b) => a - b);
}

function toOnset(here: Desk, direction: 1 | -1): void {
  const now = route.moment.peek();
  const all = onsets(here);
  const to = direction > 0 ? all.find((each) => each > now) : all.reverse().find((each) => each < now);
  if (to !== undefined) here.step(to - now);
}

function nextFlag(here: Desk, direction: 1 | -1): void {
  const flags = here.shown_flags.peek();
  if (!flags.length) return;
  const at = flags.findIndex((each) => each.number === route.flag.peek());
  here.select(flags[at < 0 ? (direction > 0 ? 0 : flags.length - 1) : (at + direction + flags.length) % flags.length]!);
}

function chooseCamera(here: Desk, at: number): void {
  const camera = here.cameras.peek()[at];
  if (camera) route.camera.value = camera.name;
}

export function deskKeys(here: Desk): Key[] {
  const key = (group: string, keys: string[], does: string, run: (event: KeyboardEvent) => void): Key => ({ group, keys, does, run });
  return [
    key("Time", [" "], "play or stop", () => { here.playing.value = !here.playing.peek(); }),
    key("Time", ["ArrowLeft", ","], "one picture back", () => here.step(-1)),
    key("Time", ["ArrowRight", "."], "one picture on", () => here.step(1)),
    key("Time", ["Shift+ArrowLeft"], "ten pictures back", () => here.step(-10)),
    key("Time", ["Shift+ArrowRight"], "ten pictures on", () => here.step(10)),
    key("Time", ["Home"], "first picture", () => here.step(-Infinity)),
    key("Time", ["End"], "last picture", () => here.step(Infinity)),
    key("Time", ["PageUp"], "onset before", () => toOnset(here, -1)),
    key("Time", ["PageDown"], "next onset", () => toOnset(here, 1)),
    key("Time", ["<"], "play slower", () => changeRate(-1)),
    key("Time", [">"], "play faster", () => changeRate(1)),
    key("Time", ["k"], "follow a live film, or stay", () => here.turnFollow()),
    key("Flags", ["ArrowDown", "]"], "next flag", () => nextFlag(here, 1)),
    key("Flags", ["ArrowUp", "["], "flag before", () => nextFlag(here, -1)),
    key("Flags", ["c"], "confirm the flag", () => { verdict_wish.value = "confirmed"; }),
    key("Flags", ["x"], "dismiss it with a reason", () => { verdict_wish.value = "dismissed"; }),
    key("Flags", ["r"], "relabel it", () => { verdict_wish.value = "relabelled"; }),
    key("Flags", ["m"], "comment on it", () => { verdict_wish.value = "comment"; }),
    key("Flags", ["u"], "open it again", () => { verdict_wish.value = "open"; }),
    key("Page", ["Shift+e"], "export of this review", () => { if (here.review.peek()?.state === "finished") route.go(`/export/${here.id}`); }),
    key("Suggestion", ["i"], "what to change: open or close", () => { route.panel.value = route.panel.peek() ? null : "suggest"; }),
    key("Flags", ["Escape"], "select nothing", () => { here.select(null); route.part.value = null; }),
    ...COMPARISONS.map((each) => key("Compare", [COMPARISON_KEYS[each]], COMPARISON_SAYS[each], () => { overlay.comparison.value = each; })),
    key("Overlay", ["d"], "deviation colours", turn(overlay.colours)),
    key("Overlay", ["l"], "outlines of flags", turn(overlay.outlines)),
    key("Overlay", ["n"], "numbers of flags", turn(overlay.labels)),
    key("Overlay", ["e"], "elements where the simulation has them", turn(overlay.edges)),
    key("Overlay", ["q"], "next quantity", () => { overlay.quantity.value = QUANTITIES[(QUANTITIES.indexOf(overlay.quantity.peek()) + 1) % QUANTITIES.length]!; }),
    key("Overlay", ["g"], "bands or smooth colours", turn(overlay.banded)),
    key("Cameras", ["1", "2", "3", "4", "5", "6", "7", "8", "9"], "camera", (event) => chooseCamera(here, Number(event.key) - 1)),
    key("Cameras", ["a"], "this camera alone", turn(route.alone)),
    key("Cameras", ["+", "="], "nearer", () => films.zoom?.(1.25)),
    key("Cameras", ["-"], "further", () => films.zoom?.(0.8)),
    key("Cameras", ["0"], "whole picture", () => films.reset?.()),
    key("Mesh", ["v"], "from the next side", () => space.turn?.()),
    key("Mesh", ["Shift+m"], "mesh or curves, where there is room for one", turn(overlay.mesh_for_curves)),
    key("Mesh", ["Shift+h"], "hide the selected part", () => hidePart()),
    key("Mesh", ["h"], "show all parts", () => { overlay.hidden_parts.value = new Set(); }),
  ];
}

function changeRate(by: 1 | -1): void {
  const at = RATES.findIndex((each) => each >= pictures_per_s.peek());
  pictures_per_s.value = RATES[Math.min(Math.max((at < 0 ? RATES.length - 1 : at) + by, 0), RATES.length - 1)]!;
}

function hidePart(): void {
  const part = route.part.peek();
  if (part === null) return;
  overlay.hidden_parts.value = new Set([...overlay.hidden_parts.peek(), part]);
  route.part.value = null;
}
