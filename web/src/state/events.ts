/** What the service tells by itself: one stream for the page, handed out by name. */
import { signal } from "@preact/signals";
import { BASE, unreachable } from "../lib/api";
import { listen, type Standing } from "../lib/sse";

export type EventName = "upload" | "review" | "batch" | "flag" | "live" | "verdict" | "job" | "campaign" | "test" | "simulation" | "suggestion";

export interface Heard {
  name: EventName;
  thing: Record<string, unknown>;
  at: number;
}

export const standing = signal<Standing>("connecting");
/** The newest first; enough to look back on. */
export const recent = signal<readonly Heard[]>([]);
const MOST_RECENT = 200;

type Listener = (heard: Heard) => void;
const listeners = new Set<Listener>();
const gaps = new Set<() => void>();

/** Calls back for each event until the returned function is called. */
export function onEvent(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Calls back when the stream stands again after a gap: the service may have restarted, so read anew. */
export function onReconnect(again: () => void): () => void {
  gaps.add(again);
  return () => gaps.delete(again);
}

export function startEvents(): void {
  let was_open = false;
  const listening = listen(
    `${BASE}/events`,
    (event) => {
      // The service no longer has what happened since the last id: read everything anew.
      if (event.name === "lost") {
        for (const again of gaps) again();
        return;
      }
      let thing: Record<string, unknown>;
      try {
        thing = JSON.parse(event.text) as Record<string, unknown>;
      } catch {
        return;
      }
      const heard = { name: event.name as EventName, thing, at: Date.now() };
      recent.value = [heard, ...recent.peek().slice(0, MOST_RECENT - 1)];
      for (const listener of listeners) listener(heard);
    },
    (now) => {
      standing.value = now;
      if (now !== "open") return;
      if (was_open) for (const again of gaps) again();
      was_open = true;
    },
  );
  unreachable.tell = () => { if (standing.peek() === "open") listening.doubt(); };
}
