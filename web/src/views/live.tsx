/** What is being filmed right now. */
import { signal } from "@preact/signals";
import type { Live } from "../lib/contract";
import { count, ms } from "../lib/format";
import { onEvent } from "../state/events";
import { deskLink } from "../state/route";
import { Icon } from "./icons";

/** What the stream said last of each live test; newer than what was asked for. */
const heard = signal<ReadonlyMap<string, Live>>(new Map());
onEvent(({ name, thing }) => {
  if (name !== "live") return;
  const live = thing as unknown as Live & { live_id?: string };
  const id = live.id ?? live.live_id;
  if (id) heard.value = new Map(heard.peek()).set(id, { ...heard.peek().get(id), ...live, id });
});

export function mergedLives(asked: readonly Live[]): Live[] {
  const all = new Map(asked.map((each) => [each.id, each]));
  for (const [id, live] of heard.value) all.set(id, { ...all.get(id), ...live });
  return [...all.values()].sort((a, b) => Number(a.ended ?? false) - Number(b.ended ?? false));
}

export function LiveCard({ live }: { live: Live }) {
  return (
    <section class="card" aria-label={`Live test ${live.name ?? ""}`}>
      <div class="card-head">
        <span class={`tag ${live.ended ? "" : "live"}`}><Icon name="live" />{live.ended ? "ended" : "live"}</span>
        <h2 class="grow cut"><a href={deskLink(live.review_id)}>{live.name ?? "live test"}</a></h2>
        <span class="muted">{ms(live.last_time_s)}</span>
      </div>
      <div class="body live-line">
        <span>{live.received}{live.expected ? ` / ${live.expected}` : ""} pictures</span>
        <span class={live.flagged ? "alarm" : "muted"}>{count(live.flagged, "flag")}</span>
        <span class="muted">{live.behind ? `${live.behind} behind` : "keeps up"}</span>
        {live.expected ? <progress max={live.expected} value={live.received} aria-label="pictures received" /> : null}
      </div>
      {live.rate_note || live.p50_ms ? (
        <div class="body small" style={{ paddingTop: 0 }}>
          {live.rate_note ? <div class="alarm"><Icon name="warn" /> {live.rate_note}</div> : null}
          {live.p50_ms ? <div class="muted">frame to flag: p50 {Math.round(live.p50_ms)} ms, p99 {live.p99_ms ? Math.round(live.p99_ms) : "–"} ms</div> : null}
        </div>
      ) : null}
    </section>
  );
}
