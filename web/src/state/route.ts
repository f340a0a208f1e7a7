/**
 * The address is the selection: every finding is a link. Places are paths; test, camera, time, part and flag of the desk
 * are in the query. Going to another place is a step in the history; scrubbing only rewrites the last step.
 */
import { batch, effect, signal } from "@preact/signals";
import { placeOf, type Place } from "../lib/place";

export const place = signal<Place>(placeOf(location.pathname));

/** The desk's selection. `time_ms` is what the link says until the moments are known. */
export const camera = signal<string | null>(null);
export const moment = signal(0);
export const part = signal<number | null>(null);
export const flag = signal<number | null>(null);
/** Film times of the review on the desk, s. */
export const moments_s = signal<readonly number[]>([]);
/** What stands beside the flags: the suggestion, its change by rank, and the sliders' values (null: as simulated). */
export const panel = signal<"suggest" | null>(null);
export const change = signal<number | null>(null);
export const sliders = signal<string | null>(null);
/** One picture area over the whole room. */
export const alone = signal(false);
/** True while the desk goes along with a live film; the address then names no time. */
export const follow = signal(false);
let wanted_ms: number | null = null;
/** True where the address asks for a time of its own. */
export const asksForTime = () => wanted_ms !== null;

function read(): void {
  const query = new URLSearchParams(location.search);
  const number = (name: string) => {
    const text = query.get(name);
    return text !== null && text !== "" && Number.isFinite(Number(text)) ? Number(text) : null;
  };
  batch(() => {
    place.value = placeOf(location.pathname);
    camera.value = query.get("camera");
    part.value = number("part");
    flag.value = number("flag");
    alone.value = query.get("alone") === "1";
    follow.value = false;
    panel.value = query.get("panel") === "suggest" ? "suggest" : null;
    change.value = number("change");
    sliders.value = query.get("p");
    wanted_ms = number("t");
    if (moments_s.peek().length) moment.value = wanted_ms === null ? 0 : nearest(moments_s.peek(), wanted_ms / 1000);
  });
}

export function nearest(times_s: readonly number[], time_s: number): number {
  let best = 0;
  for (let at = 1; at < times_s.length; at++) if (Math.abs(times_s[at]! - time_s) < Math.abs(times_s[best]! - time_s)) best = at;
  return best;
}

/** The desk knows its moments now: the time of the link becomes a moment. */
export function setMoments(times_s: readonly number[], first: number): void {
  batch(() => {
    const same_desk = moments_s.peek().length > 0;
    moments_s.value = times_s;
    if (wanted_ms !== null) moment.value = nearest(times_s, wanted_ms / 1000);
    else if (!same_desk) moment.value = first;
    moment.value = Math.min(Math.max(0, moment.peek()), Math.max(0, times_s.length - 1));
    wanted_ms = null;
  });
}

export function go(path: string): void {
  history.pushState(null, "", path);
  moments_s.value = [];
  read();
  focusMain();
}

/** Where keys go on when what had the focus is gone. */
export const focusMain = () => document.getElementById("main")?.focus({ preventScroll: true });

export function deskLink(review: string, at: { camera?: string | null; time_s?: number | null; part?: number | null; flag?: number | null } = {}): string {
  const query = new URLSearchParams();
  if (at.camera) query.set("camera", at.camera);
  if (at.time_s !== null && at.time_s !== undefined) query.set("t", (at.time_s * 1000).toFixed(3));
  if (at.part !== null && at.part !== undefined) query.set("part", String(at.part));
  if (at.flag !== null && at.flag !== undefined) query.set("flag", String(at.flag));
  const text = query.toString();
  return `/reviews/${encodeURIComponent(review)}${text ? `?${text}` : ""}`;
}

function panelQuery(): string {
  if (!panel.value) return "";
  return `&panel=suggest${change.value === null ? "" : `&change=${change.value}`}${sliders.value ? `&p=${sliders.value}` : ""}`;
}

const QUIET_MS = 150;

export function startRoute(): void {
  addEventListener("popstate", () => { moments_s.value = []; read(); });
  // Links within the page do not load it again.
  addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a[href]") as HTMLAnchorElement | null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin || link.pathname.startsWith("/api/")) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
  read();
  let timer = 0;
  effect(() => {
    const now = place.value;
    if (now.view !== "desk" || moments_s.value.length === 0) return;
    const link = deskLink(now.review, {
      camera: camera.value, time_s: follow.value ? null : moments_s.value[moment.value] ?? null, part: part.value, flag: flag.value,
    }) + (alone.value ? "&alone=1" : "") + panelQuery();
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (place.peek() === now) history.replaceState(null, "", link);
    }, QUIET_MS);
  });
}
