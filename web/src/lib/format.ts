/** Numbers for people: a unit always, a fixed number of places so that columns stand still, a true minus sign. */

const MINUS = "−";
const NOTHING = "–";

export function fixed(value: number | null | undefined, places: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  const text = value.toFixed(places);
  // −0.0 is 0.0 to people.
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", MINUS);
}

export const ms = (seconds: number | null | undefined, places = 2) =>
  seconds === null || seconds === undefined ? NOTHING : `${fixed(seconds * 1000, places)} ms`;
export const mm = (value: number | null | undefined, places = 1) =>
  value === null || value === undefined || !Number.isFinite(value) ? NOTHING : `${fixed(value, places)} mm`;
export const cm2 = (mm2: number | null | undefined) =>
  mm2 === null || mm2 === undefined ? NOTHING : `${fixed(mm2 / 100, 1)} cm²`;
export const withSigma = (value: number, sigma: number | null | undefined) =>
  sigma === null || sigma === undefined ? mm(value) : `${fixed(value, 1)} ± ${fixed(sigma, 1)} mm`;

export function bytes(count: number | null | undefined): string {
  if (count === null || count === undefined) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${fixed(value, unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`;
}

export function seconds(count: number | null | undefined): string {
  if (count === null || count === undefined || !Number.isFinite(count)) return NOTHING;
  if (count < 60) return `${Math.ceil(count)} s`;
  if (count < 3600) return `${Math.floor(count / 60)} min ${Math.round(count % 60)} s`;
  return `${Math.floor(count / 3600)} h ${Math.round((count % 3600) / 60)} min`;
}

/** `2026-11-24 03:10`, local time: the same in every language. */
export function when(stamp: string | null | undefined): string {
  if (!stamp) return NOTHING;
  const at = new Date(stamp);
  if (Number.isNaN(at.getTime())) return NOTHING;
  const two = (n: number) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

export const count = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString("en").replaceAll(",", "\u202f")} ${n === 1 ? one : many}`;

export const KIND: Record<string, string> = {
  rigid_motion: "rigid motion", deformation: "deformation", mixed: "mixed", rigid: "rigid motion",
};
export const kindName = (kind: string) => KIND[kind] ?? kind.replaceAll("_", " ");

/** Round steps (1, 2, 5 × 10^n) so that about `wanted` of them fill `span`. */
export function roundStep(span: number, wanted: number): number {
  if (!(span > 0)) return 1;
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const lead = rough / power;
  return (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10) * power;
}

/** The next round number (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 × 10^n) at or above `value`: the top of a colour bar. */
export function roundUp(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value) + 1e-12);
  const lead = [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value * (1 - 1e-9)) ?? 10;
  return lead * power;
}
