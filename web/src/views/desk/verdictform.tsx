/** The form of a verdict: why, what it is, a remark, and – asked once – whose word it is. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Flag, VerdictSaid, VerdictState } from "../../lib/contract";
import { author } from "../../state/settings";

export type Wish = VerdictState | "comment";

const REASONS = [
  "light, shadow or reflection", "covered by another body", "known difference of the specimen", "simplification in the model",
  "error of the matching", "within scatter of the test", "other",
];
const LABELS = ["rigid motion", "deformation", "mixed", "crack or tear", "weld or joint failure", "contact missed", "foreign body", "other"];
const SUBMITS: Record<Wish, string> = { confirmed: "Confirm", dismissed: "Dismiss", relabelled: "Relabel", open: "Open again", comment: "Save comment" };

interface Draft {
  wish: Wish;
  choice: string;
  comment: string;
}

/** What was begun and not sent, by flag: looking at another flag meanwhile must not lose it. */
const drafts = new Map<Flag["id"], Draft>();

export const draftOf = (flag: Flag) => drafts.get(flag.id)?.wish ?? null;
export const dropDraft = (flag: Flag) => drafts.delete(flag.id);

/** True where a verdict can be given at the press of a key: nothing is left to ask. */
export const needsNoForm = (wish: Wish) => (wish === "confirmed" || wish === "open") && author.peek() !== "";

/** What was chosen and said before, where the same is wished again. */
function beginning(flag: Flag, wish: Wish): Draft {
  const draft = drafts.get(flag.id);
  if (draft?.wish === wish) return draft;
  const { verdict } = flag;
  const said = wish === "dismissed" ? verdict.reason : wish === "relabelled" ? verdict.label : null;
  return { wish, choice: verdict.state === wish ? said ?? "" : "", comment: verdict.comment ?? "" };
}

/** The verdict that a form asks for; a comment leaves the state as it is. */
function saidBy({ wish, choice, comment }: Draft, { verdict }: Flag): VerdictSaid {
  const remark = comment.trim();
  const reason = wish === "dismissed" ? choice : wish === "comment" ? verdict.reason : null;
  const label = wish === "relabelled" ? choice : wish === "comment" ? verdict.label : null;
  const kept = wish === "confirmed" || wish === "open" ? null : remark;
  return { state: wish === "comment" ? verdict.state : wish, ...(reason ? { reason } : {}), ...(label ? { label } : {}), ...(kept ? { comment: kept } : {}) };
}

export function VerdictForm({ flag, wish, busy, say, cancel }: { flag: Flag; wish: Wish; busy: boolean; say: (said: VerdictSaid) => Promise<void>; cancel: () => void }) {
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState(() => beginning(flag, wish));
  const [name, setName] = useState(author.peek());
  const [asks_name, askName] = useState(author.peek() === "");
  useEffect(() => { form.current?.querySelector<HTMLElement>("select, textarea, input")?.focus(); }, []);
  const chooses = wish === "dismissed" || wish === "relabelled";
  const writes = chooses || wish === "comment";
  const ready = !busy && name.trim() !== "" && (!chooses || draft.choice !== "") && (wish !== "comment" || draft.comment.trim() !== "");
  const change = (by: Partial<Draft>) => {
    const now = { ...draft, ...by };
    drafts.set(flag.id, now);
    setDraft(now);
  };
  const send = () => {
    if (!ready) return;
    author.value = name.trim();
    void say(saidBy(draft, flag));
  };
  return (
    <form ref={form} onSubmit={(event) => { event.preventDefault(); send(); }} onKeyDown={(event) => {
      if (event.key === "Escape") { event.stopPropagation(); cancel(); }
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
    }}>
      {chooses ? (
        <label class="field">{wish === "dismissed" ? "Why it is no finding" : "What it is"}
          <select name="choice" required value={draft.choice} onChange={(event) => change({ choice: event.currentTarget.value })}>
            <option value="" disabled>choose …</option>
            {(wish === "dismissed" ? REASONS : LABELS).map((each) => <option key={each} value={each}>{each}</option>)}
          </select></label>
      ) : null}
      {writes ? (
        <label class="field">Comment
          <textarea name="comment" rows={2} maxLength={4000} required={wish === "comment"} value={draft.comment} onInput={(event) => change({ comment: event.currentTarget.value })} /></label>
      ) : null}
      {asks_name ? (
        <label class="field">Your name, asked once<input name="author" type="text" required value={name} autocomplete="name" maxLength={200} onInput={(event) => setName(event.currentTarget.value)} /></label>
      ) : <p class="small muted">as {name} <button class="plain" type="button" onClick={() => askName(true)}>someone else …</button></p>}
      <div class="row">
        <button class="button main" type="submit" disabled={!ready}>{SUBMITS[wish]}</button>
        <button class="button" type="button" onClick={cancel}>Cancel <kbd>Esc</kbd></button>
      </div>
    </form>
  );
}
