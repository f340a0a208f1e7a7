/** How the pictures and the mesh are looked at: the same on every desk, kept in the browser. */
import { computed, signal } from "@preact/signals";
import type { Comparison } from "../gl/filmarea";
import type { Colouring, Quantity } from "../gl/meshmodel";
import type { MapName } from "../lib/colour";
import { roundUp } from "../lib/format";
import { kept } from "./settings";

export const comparison = kept<Comparison>("comparison", "film");
export const onion = kept("onion", 0.5);
export const wipe = kept("wipe", 0.5);
export const blink_on = signal(false);
/** Where one picture lies over the other, colours would cover what is compared. */
const COVERS: ReadonlySet<Comparison> = new Set(["onion", "wipe", "blink"]);
const colours_by = kept<Partial<Record<Comparison, boolean>>>("colours.by", {});
const colours_now = computed(() => colours_by.value[comparison.value] ?? !COVERS.has(comparison.value));
/** Deviation colours over the pictures: kept for each way to compare. */
export const colours = {
  get value() { return colours_now.value; },
  set value(on: boolean) { colours_by.value = { ...colours_by.peek(), [comparison.peek()]: on }; },
  peek: () => colours_now.peek(),
};
export const opacity = kept("opacity", 0.6);
export const edges = kept("edges", false);
export const outlines = kept("outlines", true);
export const labels = kept("labels", true);
export const quantity = kept<Quantity>("quantity", "deviation");
/** While somebody looks blind the surface may show nothing but the simulation's own plastic strain. */
export const only_plastic = signal(false);
export const banded = kept("banded", false);
export const colour_blind = kept<Exclude<MapName, "signed">>("map", "viridis");
export const exaggeration = kept("exaggeration", 1);
/** The elements of the mesh at the sliders' values, over the film. */
export const trial_edges = kept("trial_edges", true);
export const mesh_edges = kept("mesh_edges", true);
/** Where there is room for one of the two: the mesh in place of the curves. */
export const mesh_for_curves = kept("mesh_for_curves", false);
export const hidden_parts = signal<ReadonlySet<number>>(new Set());

export const QUANTITY_NAMES: Record<Quantity, { name: string; unit: string; short: string }> = {
  deviation: { name: "Deviation", unit: "mm", short: "|Δ|" },
  deviation_x: { name: "Deviation along x", unit: "mm", short: "Δx" },
  deviation_y: { name: "Deviation along y", unit: "mm", short: "Δy" },
  deviation_z: { name: "Deviation along z", unit: "mm", short: "Δz" },
  sigma: { name: "Sigma of the deviation", unit: "mm", short: "σ" },
  plastic: { name: "Plastic strain", unit: "–", short: "εp" },
};

/** The largest value of each quantity over the review, as far as it is known; the bars do not move with time. */
export const largest = signal<Record<"deviation" | "sigma" | "plastic", number>>({ deviation: 10, sigma: 1, plastic: 0.1 });
/** True where the review says which of the surface a camera measured; those of earlier versions do not. */
export const tells_seen = signal(false);
/** mm; the line that is drawn on the surface. */
export const tolerance_mm = signal(0);
export const BANDS = 10;

export const colouring = computed<Colouring>(() => {
  const what = only_plastic.value ? "plastic" : quantity.value;
  const signed = what.startsWith("deviation_");
  const high = roundUp(what === "plastic" ? largest.value.plastic : what === "sigma" ? largest.value.sigma : largest.value.deviation);
  return {
    quantity: what,
    map: signed ? "signed" : colour_blind.value,
    low: signed ? -high : 0,
    high,
    tolerance_mm: what === "deviation" || signed ? tolerance_mm.value : 0,
    bands: banded.value ? BANDS : 0,
  };
});
