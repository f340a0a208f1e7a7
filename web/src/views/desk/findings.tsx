/** The list of flags with their verdicts, the parts, and the blind first look in their place. */
import { useEffect, useRef } from "preact/hooks";
import { stands, type Flag } from "../../lib/contract";
import { count, kindName, mm, ms, when, withSigma } from "../../lib/format";
import { onThePage } from "../../lib/words";
import { blind_first, type Desk } from "../../state/desk";
import * as overlay from "../../state/overlay";
import * as route from "../../state/route";
import { Icon } from "../icons";
import { LiveCard } from "../live";
import { FlagMark, VerdictTag } from "../marks";
import { FirstLookForm, SeenList } from "./firstlook";
import { VerdictPanel } from "./verdict";

export function Findings({ here }: { here: Desk }) {
  const blind = here.blind.value;
  return (
    <aside class="findings" aria-label="Findings">
      <div class="bar">
        <h2>Findings</h2><span class="grow" />
        <label class="check small" title="Flags stay hidden until you have said what you see">
          <input type="checkbox" checked={blind_first.value} onChange={(event) => { blind_first.value = event.currentTarget.checked; }} />Blind first look</label>
      </div>
      {blind ? <FirstLookForm here={here} /> : (
        <>
          <div class="scroll">
            {here.live.value ? <div style={{ padding: "10px 12px 0" }}><LiveCard live={here.live.value} /></div> : null}
            <Summary here={here} />
            <FlagList here={here} />
            <Withdrawn here={here} />
            <SeenList here={here} />
            <Parts here={here} />
            <Remarks here={here} />
          </div>
          {here.selected.value ? <VerdictPanel key={here.selected.value.id} here={here} flag={here.selected.value} /> : null}
        </>
      )}
    </aside>
  );
}

function Summary({ here }: { here: Desk }) {
  const flags = here.shown_flags.value;
  const standing = flags.filter(stands);
  const sure = standing.filter((each) => each.verdict_machine === "mismatch");
  const first = [...sure].sort((a, b) => a.onset_s - b.onset_s || b.peak_mm - a.peak_mm)[0];
  const judged = flags.filter((each) => each.verdict.state !== "open").length;
  const compared = here.review.value?.is_compared !== false;
  return (
    <div class="summary">
      <strong class={sure.length ? "alarm" : ""}>{sure.length ? count(sure.length, "mismatch", "mismatches") : standing.length ? "No sure mismatch" : flags.length ? "No flag stands" : compared ? "Within tolerance" : "The film cannot tell"}</strong>
      {first ? <span>first at {ms(first.onset_s)} on {first.part_name}</span> : flags.length ? null : <span class="muted">{compared ? "No region deviates by more than the tolerance." : `Of the part that was measured best ${Math.round(100 * (here.review.value?.compared_share ?? 0))} % was measured.`}</span>}
      {here.review.value?.state === "finished" ? (
        <button class="button" aria-pressed={route.panel.value === "suggest"} data-open-suggest title="Which parameter brings the simulation to the film? (I)"
          onClick={() => { route.panel.value = route.panel.peek() ? null : "suggest"; }}><Icon name="tag" />What to change <kbd>I</kbd></button>
      ) : null}
      <span class="muted small">tolerance {mm(here.review.value?.tolerance_mm)}{flags.length ? ` · ${judged} of ${flags.length} judged` : ""}{flags.length > standing.length ? `, ${flags.length - standing.length} dismissed` : ""}</span>
    </div>
  );
}

function FlagList({ here }: { here: Desk }) {
  const flags = here.shown_flags.value;
  if (!flags.length) return null;
  return (
    <div role="listbox" aria-label="Flags" data-flags>
      {flags.map((flag) => <FlagRow key={flag.id} here={here} flag={flag} />)}
    </div>
  );
}

function FlagRow({ here, flag }: { here: Desk; flag: Flag }) {
  const chosen = flag.number === route.flag.value;
  const row = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!chosen) return;
    row.current?.scrollIntoView({ block: "nearest" });
    // Whoever walks the list by keys keeps the focus on what is selected.
    if (document.activeElement?.closest("[role=listbox]")) row.current?.focus();
  }, [chosen]);
  const yet = here.time_s.value < flag.onset_s - 1e-9;
  return (
    <button ref={row} class={`flag ${yet ? "absent" : ""}`} role="option" aria-selected={chosen} data-number={flag.number} title={yet ? "not there yet at this time" : ""}
      onClick={() => here.select(chosen ? null : flag)}>
      <FlagMark flag={flag} />
      <span class="cut">{flag.part_name}</span>
      <span class="peak number">{withSigma(flag.peak_mm, flag.peak_sigma_mm)}</span>
      <span class="second cut">{flag.verdict_machine === "cannot_tell" ? "cannot tell · " : ""}{ms(flag.onset_s)} · {kindName(flag.kind)}</span>
      <span class="number"><VerdictTag verdict={flag.verdict} /></span>
    </button>
  );
}

/** They cannot be selected: the film shows them nowhere, and their number may be another flag's. */
function Withdrawn({ here }: { here: Desk }) {
  const flags = here.withdrawn.value;
  if (!flags.length) return null;
  return (
    <section aria-labelledby="withdrawn" data-withdrawn>
      <div class="section-head"><h3 id="withdrawn" class="grow">Not found any more</h3><span class="muted small">counts nowhere</span></div>
      <ul>{flags.map(({ id, part_name, peak_mm, peak_sigma_mm, onset_s, kind, verdict }) => (
        <li key={id} class="withdrawn">
          <span class="row"><span class="grow cut">{part_name}</span><VerdictTag verdict={verdict} /></span>
          <span class="small">{withSigma(peak_mm, peak_sigma_mm)} · {ms(onset_s)} · {kindName(kind)}</span>
          <span class="small">{[verdict.reason, verdict.comment ? `“${verdict.comment}”` : null, verdict.author ?? "no name", when(verdict.at)].filter(Boolean).join(", ")}</span>
        </li>
      ))}</ul>
    </section>
  );
}

function Parts({ here }: { here: Desk }) {
  const parts = [...(here.result.value?.parts ?? [])].sort((a, b) => (b.peak_mm ?? 0) - (a.peak_mm ?? 0));
  const hidden = overlay.hidden_parts.value;
  return (
    <section class="parts" aria-label="Parts">
      <div class="section-head"><h3 class="grow">Parts</h3><span class="muted small" style={{ width: "62px", textAlign: "right" }}>onset</span><span class="muted small" style={{ width: "62px", textAlign: "right" }}>peak p95</span></div>
      {parts.map((part) => (
        <button key={part.id} aria-pressed={route.part.value === part.id} onClick={() => { route.part.value = route.part.peek() === part.id ? null : part.id; }}>
          <span class="cut">{hidden.has(part.id) ? <Icon name="hidden" /> : null}{part.name}</span>
          <span class="number muted">{ms(part.onset_s)}</span>
          <span class={`number ${part.peak_mm !== null && part.peak_mm > part.tolerance_mm ? "alarm" : ""}`}>{mm(part.peak_mm)}</span>
        </button>
      ))}
    </section>
  );
}

/** What to trust less, and what else the review rests on. */
function Remarks({ here }: { here: Desk }) {
  const result = here.result.value;
  return (
    <>
      <Said title="Trust less" icon="warn" lines={result?.warnings ?? []} />
      <Said title="Good to know" icon="note" lines={result?.notes ?? []} />
    </>
  );
}

function Said({ title, icon, lines }: { title: string; icon: "warn" | "note"; lines: string[] }) {
  if (!lines.length) return null;
  return (
    <section aria-label={title} style={{ padding: "0 12px 12px" }}>
      <div class="section-head" style={{ paddingInline: 0 }}><h3>{title}</h3></div>
      <ul style={{ display: "grid", gap: "6px" }}>{lines.map((each) => <li key={each} class="small row" style={{ alignItems: "flex-start" }}><Icon name={icon} /><span class="muted">{onThePage(each)}</span></li>)}</ul>
    </section>
  );
}
