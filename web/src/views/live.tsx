/** What is being filmed right now. */
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import * as api from "../lib/api";
import type { Live } from "../lib/contract";
import { count, ms } from "../lib/format";
import { messageOf } from "../state/desk";
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

const duration = (ms: number | null) => (ms === null ? "–" : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** Ends the live test; asked for twice, because no frame is taken after it. */
function EndButton({ live }: { live: Live }) {
  const [asked, setAsked] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const end = () => void api.endLive(live.id).catch((cause: unknown) => { setAsked(false); setProblem(messageOf(cause)); });
  if (!asked) return <button class="button" title={problem ?? "No more frames come: review the whole film"} onClick={() => setAsked(true)}>{problem ? "Not ended" : "End …"}</button>;
  return <><button class="button main" onClick={end}>End it</button><button class="button" onClick={() => setAsked(false)}>No</button></>;
}

export function LiveCard({ live }: { live: Live }) {
  return (
    <section class="card" aria-label={`Live test ${live.name ?? ""}`}>
      <div class="card-head">
        <span class={`tag ${live.ended ? "" : "live"}`}><Icon name="live" />{live.ended ? "ended" : "live"}</span>
        <h2 class="grow cut"><a href={deskLink(live.review_id)}>{live.name ?? "live test"}</a></h2>
        <span class="muted">{ms(live.last_time_s)}</span>
        {live.ended ? null : <EndButton live={live} />}
      </div>
      <div class="body live-lines">
        <div class="row"><span class="grow">{live.received}{live.expected ? ` / ${live.expected}` : ""} pictures</span><span class={live.flagged ? "alarm" : "muted"}>{count(live.flagged, "flag")}</span></div>
        {live.expected ? <progress max={live.expected} value={live.received} aria-label="pictures received" /> : null}
        <div class="row small muted"><span class="grow">{live.reviewed} reviewed as they came</span><span>{live.behind ? `${live.behind} left for afterwards` : live.ended ? "" : live.reviewed ? "keeps up" : "waits until something moves"}</span></div>
        {live.rate_note ? <div class="row small alarm" style={{ alignItems: "flex-start" }}><Icon name="warn" /><span>{live.rate_note}</span></div> : null}
        {live.p50_ms ? <div class="small muted">frame to flag: p50 {duration(live.p50_ms)}, p99 {duration(live.p99_ms)}</div> : null}
        {live.ended ? <div class="small muted">The whole film is reviewed again now.</div> : null}
      </div>
    </section>
  );
}
