/** What the engineer says about a flag. */
import { effect, signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import * as api from "../../lib/api";
import type { Flag, VerdictRecord, VerdictSaid } from "../../lib/contract";
import { cm2, fixed, kindName, ms, when, withSigma } from "../../lib/format";
import { messageOf, type Desk } from "../../state/desk";
import { Icon } from "../icons";
import { Notice, VerdictTag } from "../marks";
import { draftOf, dropDraft, needsNoForm, VerdictForm, type Wish } from "./verdictform";

/** What a key asked for; the panel takes it. */
export const verdict_wish = signal<Wish | null>(null);

function seenBy({ cameras, observed_share }: Flag): string {
  if (!cameras.length) return "no camera: follows from its surroundings, and the study where one was heard";
  return cameras.join(", ") + (observed_share === null ? "" : `, ${fixed(100 * observed_share, 0)} % of it`);
}

export function VerdictPanel({ here, flag }: { here: Desk; flag: Flag }) {
  const [form, setForm] = useState<Wish | null>(() => draftOf(flag));
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [history, setHistory] = useState<VerdictRecord[]>([]);
  const say = async (said: VerdictSaid) => {
    setBusy(true);
    setProblem(null);
    try {
      await here.setVerdict(flag, said);
      dropDraft(flag);
      // Only the form that was sent: another may have been opened while the answer was on its way.
      setForm((now) => (now === form ? null : now));
    } catch (cause) {
      setProblem(cause instanceof api.Refused && cause.status === 412 ? "someone else has just judged this flag; look at it again" : messageOf(cause));
      void here.loadFlags();
    }
    setBusy(false);
  };
  const { verdict } = flag;
  const wish = (wanted: Wish) => {
    if (needsNoForm(wanted)) void say({ state: wanted === "comment" ? verdict.state : wanted });
    else setForm(wanted);
  };
  useEffect(() => effect(() => {
    const wanted = verdict_wish.value;
    // A wish is for the flag that is selected; this panel may be on its way out.
    if (!wanted || here.selected.peek()?.id !== flag.id) return;
    verdict_wish.value = null;
    wish(wanted);
  }), [flag]);
  useEffect(() => {
    let gone = false;
    api.history(flag.id).then((found) => { if (!gone) setHistory(found); }, () => {});
    return () => { gone = true; };
  }, [flag.id, flag.verdict.at]);
  return (
    <section class="verdict" aria-label={`Verdict on flag ${flag.number}`}>
      <div class="row"><h3 class="grow cut">Flag {flag.number} · {flag.part_name}</h3><VerdictTag verdict={verdict} /></div>
      <dl>
        <dt>Peak</dt><dd>{withSigma(flag.peak_mm, flag.peak_sigma_mm)}</dd><dt>at</dt><dd>{ms(flag.peak_s)}</dd>
        <dt>Onset</dt><dd>{ms(flag.onset_s)}</dd><dt>Area</dt><dd>{cm2(flag.area_mm2)}</dd>
        <dt>Kind</dt><dd>{kindName(flag.kind)}</dd><dt>Prob.</dt><dd>{fixed(flag.probability, 2)}</dd>
        <dt>Seen by</dt><dd style={{ gridColumn: "span 3" }} title="The share is that of its elements, over its film times, that a camera measured; the rest is estimated">{seenBy(flag)}</dd>
      </dl>
      {verdict.state !== "open" || verdict.comment ? (
        <div class="said">
          {verdict.reason ? <div>Reason: {verdict.reason}</div> : null}
          {verdict.label ? <div>It is: {verdict.label}</div> : null}
          {verdict.comment ? <div>“{verdict.comment}”</div> : null}
          <div class="muted">{verdict.author ?? "no name"}, {when(verdict.at)}{history.at(-1)?.blind ? ", after a blind look" : ""}</div>
        </div>
      ) : null}
      <Earlier records={history.slice(0, -1)} />
      {problem ? <Notice text={problem} /> : null}
      {form ? <VerdictForm key={form} flag={flag} wish={form} busy={busy} say={say} cancel={() => { dropDraft(flag); setForm(null); }} /> : (
        <div class="choices">
          <button class={`button ${verdict.state === "confirmed" ? "" : "main"}`} disabled={busy} aria-pressed={verdict.state === "confirmed"} onClick={() => wish("confirmed")} data-say="confirmed"><Icon name="check" />Confirm <kbd>C</kbd></button>
          <button class="button" disabled={busy} aria-pressed={verdict.state === "dismissed"} onClick={() => wish("dismissed")} data-say="dismissed"><Icon name="cross" />Dismiss … <kbd>X</kbd></button>
          <button class="button" disabled={busy} aria-pressed={verdict.state === "relabelled"} onClick={() => wish("relabelled")} data-say="relabelled"><Icon name="tag" />Relabel … <kbd>R</kbd></button>
          {verdict.state === "open"
            ? <button class="button" disabled={busy} onClick={() => wish("comment")} data-say="comment"><Icon name="speech" />Comment … <kbd>M</kbd></button>
            : <button class="button" disabled={busy} onClick={() => wish("open")} data-say="open"><Icon name="undo" />Open again <kbd>U</kbd></button>}
        </div>
      )}
    </section>
  );
}

/** What was said before, the newest first: who opens a flag again, or judges it anew, should know why it was judged. */
function Earlier({ records }: { records: readonly VerdictRecord[] }) {
  if (!records.length) return null;
  return (
    <details class="small earlier" open={records.length < 3}>
      <summary class="muted">Said before ({records.length})</summary>
      <ol>{[...records].reverse().map((each, at) => (
        <li key={records.length - at}>
          <b>{each.state === "open" ? "opened again" : each.state}</b>{each.reason ?? each.label ? `: ${each.reason ?? each.label}` : ""}{each.comment ? ` “${each.comment}”` : ""}
          <span class="muted"> {each.author ?? "no name"}, {when(each.at)}</span>
        </li>
      ))}</ol>
    </details>
  );
}
