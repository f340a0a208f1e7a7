/** What the engineer says about a flag. */
import { effect, signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../../lib/api";
import type { Flag, VerdictRecord, VerdictSaid, VerdictState } from "../../lib/contract";
import { cm2, fixed, kindName, ms, when, withSigma } from "../../lib/format";
import { messageOf, type Desk } from "../../state/desk";
import { author } from "../../state/settings";
import { Icon } from "../icons";
import { Notice, VerdictTag } from "../marks";

type Wish = VerdictState | "comment";

/** What a key asked for; the panel takes it. */
export const verdict_wish = signal<Wish | null>(null);

const REASONS = [
  "light, shadow or reflection", "covered by another body", "known difference of the specimen", "simplification in the model",
  "error of the matching", "within scatter of the test", "other",
];
const LABELS = ["rigid motion", "deformation", "mixed", "crack or tear", "weld or joint failure", "contact missed", "foreign body", "other"];

export function VerdictPanel({ here, flag }: { here: Desk; flag: Flag }) {
  const [form, setForm] = useState<Wish | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [history, setHistory] = useState<VerdictRecord[]>([]);
  const say = async (said: VerdictSaid) => {
    setBusy(true);
    setProblem(null);
    try {
      await here.setVerdict(flag, said);
      // Only the form that was sent: another may have been opened while the answer was on its way.
      setForm((now) => (now === form ? null : now));
    } catch (cause) {
      setProblem(cause instanceof api.Refused && cause.status === 412 ? "someone else has just judged this flag; look at it again" : messageOf(cause));
      void here.loadFlags();
    }
    setBusy(false);
  };
  const wish = (wanted: Wish) => {
    if (wanted === "confirmed" || wanted === "open") void say({ state: wanted });
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
  const { verdict } = flag;
  return (
    <section class="verdict" aria-label={`Verdict on flag ${flag.number}`}>
      <div class="row"><h3 class="grow cut">Flag {flag.number} · {flag.part_name}</h3><VerdictTag verdict={verdict} /></div>
      <dl>
        <dt>Peak</dt><dd>{withSigma(flag.peak_mm, flag.peak_sigma_mm)}</dd><dt>at</dt><dd>{ms(flag.peak_s)}</dd>
        <dt>Onset</dt><dd>{ms(flag.onset_s)}</dd><dt>Area</dt><dd>{cm2(flag.area_mm2)}</dd>
        <dt>Kind</dt><dd>{kindName(flag.kind)}</dd><dt>Prob.</dt><dd>{fixed(flag.probability, 2)}</dd>
        <dt>Seen by</dt><dd style={{ gridColumn: "span 3" }}>{flag.cameras.join(", ") || "no camera: follows from its surroundings, and the study where one was heard"}</dd>
      </dl>
      {verdict.state !== "open" || verdict.comment ? (
        <div class="said">
          {verdict.reason ? <div>Reason: {verdict.reason}</div> : null}
          {verdict.label ? <div>It is: {verdict.label}</div> : null}
          {verdict.comment ? <div>“{verdict.comment}”</div> : null}
          <div class="muted">{verdict.author ?? "no name"}, {when(verdict.at)}{history.at(-1)?.blind ? ", after a blind look" : ""}{history.length > 1 ? `, ${history.length} verdicts so far` : ""}</div>
        </div>
      ) : null}
      {problem ? <Notice text={problem} /> : null}
      {form ? <VerdictForm flag={flag} wish={form} busy={busy} say={say} cancel={() => setForm(null)} /> : (
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

function VerdictForm({ flag, wish, busy, say, cancel }: { flag: Flag; wish: Wish; busy: boolean; say: (said: VerdictSaid) => Promise<void>; cancel: () => void }) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => { form.current?.querySelector<HTMLElement>("select, textarea")?.focus(); }, [wish]);
  const send = () => {
    const values = new FormData(form.current!);
    const text = (name: string) => { const v = values.get(name); return typeof v === "string" && v.trim() ? v.trim() : null; };
    const [comment, choice] = [text("comment"), text("choice")];
    author.value = text("author") ?? "";
    const { verdict } = flag;
    const state = wish === "comment" ? verdict.state : wish;
    const reason = wish === "dismissed" ? choice : wish === "comment" ? verdict.reason : null;
    const label = wish === "relabelled" ? choice : wish === "comment" ? verdict.label : null;
    void say({ state, ...(reason ? { reason } : {}), ...(label ? { label } : {}), ...(comment ? { comment } : {}) });
  };
  return (
    <form ref={form} onSubmit={(event) => { event.preventDefault(); send(); }} onKeyDown={(event) => {
      if (event.key === "Escape") { event.stopPropagation(); cancel(); }
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !busy) send();
    }}>
      {wish === "dismissed" || wish === "relabelled" ? (
        <label class="field">{wish === "dismissed" ? "Why it is no finding" : "What it is"}
          <select name="choice" required>{(wish === "dismissed" ? REASONS : LABELS).map((each) => <option key={each}>{each}</option>)}</select></label>
      ) : null}
      <label class="field">Comment<textarea name="comment" rows={2} maxLength={4000} required={wish === "comment"}>{flag.verdict.comment ?? ""}</textarea></label>
      <label class="field">Your name<input name="author" type="text" value={author.value} autocomplete="name" maxLength={200} /></label>
      <div class="row">
        <button class="button main" type="submit" disabled={busy}>{wish === "dismissed" ? "Dismiss" : wish === "relabelled" ? "Relabel" : "Save comment"}</button>
        <button class="button" type="button" onClick={cancel}>Cancel <kbd>Esc</kbd></button>
      </div>
    </form>
  );
}
