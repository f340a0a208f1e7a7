/** The ranked changes: where to move what, what it would gain, which flags it explains, and what was decided. */
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../../lib/api";
import type { Simulation } from "../../lib/contract";
import { fixed, mm, when } from "../../lib/format";
import type { DecisionState, Receipt } from "../../lib/suggestapi";
import { placesFor, unitOf, type Change, type Interval, type Move, type SuggestionDocument } from "../../lib/suggestion";
import type { Desk } from "../../state/desk";
import * as route from "../../state/route";
import { author } from "../../state/settings";
import type { Suggest } from "../../state/suggest";
import { Icon, type IconName } from "../icons";

const NOTHING: Record<SuggestionDocument["verdict"], string> = {
  change: "No change is ranked.",
  inside_noise: "Nothing is suggested: what is left is inside the noise of the measurement.",
  cannot_tell: "No change is sure to help: the film does not say which parameter.",
  model_form: "No change of a parameter is suggested.",
};

export function Changes({ here, suggest, document_ }: { here: Desk; suggest: Suggest; document_: SuggestionDocument }) {
  return (
    <section aria-label="Ranked changes">
      <div class="section-head"><h3 class="grow">Ranked changes</h3><span class="muted small">mismatch before → after</span></div>
      {document_.changes.length === 0 ? <p class="muted block">{NOTHING[document_.verdict]}</p> : null}
      {document_.changes.map((change) => <ChangeCard key={change.rank} here={here} suggest={suggest} document_={document_} change={change} />)}
    </section>
  );
}

function ChangeCard({ here, suggest, document_, change }: { here: Desk; suggest: Suggest; document_: SuggestionDocument; change: Change }) {
  const chosen = route.change.value === change.rank;
  const { decision, obtained } = suggest.standing(change.rank);
  return (
    <article class={`change ${chosen ? "chosen" : ""}`} data-change={change.rank}>
      <button class="change-head" aria-expanded={chosen} onClick={() => { route.change.value = chosen ? null : change.rank; }}>
        <span class="rank">{change.rank}</span>
        <span class="moves">{change.moves.map((move) => <MoveLine key={move.name} move={move} document_={document_} />)}</span>
        <span class="number gain"><b>{mm(change.before_mm, 1)} → {mm(change.after_mm.value, 1)}</b><br />
          <span class="muted small">{fixed(change.after_mm.lower, 1)} to {fixed(change.after_mm.upper, 1)} mm{change.helps ? `, helps: ${Math.floor(100 * change.helps)} %` : ""}</span></span>
      </button>
      {decision ? <div class="standing-line"><DecisionTag receipt={decision} />{obtained ? <Obtained receipt={obtained} /> : null}</div> : null}
      {chosen ? (
        <div class="change-body">
          <PartBars change={change} />
          <p>{change.why.charAt(0).toUpperCase() + change.why.slice(1)}.</p>
          <FlagLinks here={here} name="Explains" numbers={change.explains} icon="check" />
          <FlagLinks here={here} name="Leaves" numbers={change.leaves} icon="circle" />
          <Decide key={change.rank} suggest={suggest} change={change} decision={decision} />
        </div>
      ) : null}
    </article>
  );
}

function MoveLine({ move, document_ }: { move: Move; document_: SuggestionDocument }) {
  const parameter = document_.parameters.find((each) => each.parameter.name === move.name)?.parameter;
  const places = parameter ? placesFor(parameter) : 3;
  return (
    <span class="move"><b>{move.name}</b> <span>{fixed(move.from, places)} → <b>{fixed(move.to.value, places)}</b>{unitOf(move.unit)}</span>{" "}
      <span class="muted small">({fixed(move.to.lower, places)} to {fixed(move.to.upper, places)})</span></span>
  );
}

/** Two bars a part: hollow before, filled after with its interval as a whisker. Lengths share one scale. */
function PartBars({ change }: { change: Change }) {
  const parts = [...change.parts].sort((a, b) => b.before_mm - a.before_mm).slice(0, 8);
  const most = Math.max(0.1, ...parts.flatMap((each) => [each.before_mm, each.after_mm.upper]));
  return (
    <div class="bars" role="group" aria-label="Mismatch by part, before and after">
      {parts.map((part) => (
        <button key={part.part_id} class="bar-row" aria-pressed={route.part.value === part.part_id} onClick={() => { route.part.value = route.part.peek() === part.part_id ? null : part.part_id; }}>
          <span class="cut">{part.part_name}</span>
          <span class="bar-plot" aria-hidden="true"><Bars before={part.before_mm} after={part.after_mm} most={most} /></span>
          <span class="number small">{fixed(part.before_mm, 1)} → {mm(part.after_mm.value, 1)}</span>
        </button>
      ))}
      <div class="legend"><span><i class="key before" /> before</span><span><i class="key after" /> predicted after, with 90 %</span></div>
    </div>
  );
}

export function Bars({ before, after, most }: { before: number; after: Interval; most: number }) {
  const x = (value: number) => (100 * Math.min(Math.max(value, 0), most)) / most;
  return (
    <svg viewBox="0 0 100 16" preserveAspectRatio="none" class="bars-svg">
      <rect class="before" x="0" y="1.5" width={x(before)} height="5" />
      <rect class="after" x="0" y="9" width={x(after.value)} height="5" />
      <line class="whisker" x1={x(after.lower)} x2={x(after.upper)} y1="11.5" y2="11.5" />
    </svg>
  );
}

function FlagLinks({ here, name, numbers, icon }: { here: Desk; name: string; numbers: number[]; icon: IconName }) {
  if (!numbers.length) return null;
  return (
    <div class="flag-links"><span class="muted"><Icon name={icon} /> {name}</span>
      {numbers.map((number) => {
        const flag = here.shown_flags.value.find((each) => each.number === number);
        return <button key={number} class={`mark ${flag?.verdict_machine === "cannot_tell" ? "unsure" : ""}`} disabled={!flag} aria-pressed={route.flag.value === number}
          aria-label={`Flag ${number}${flag ? `, ${flag.part_name}` : ""}`} title={flag?.part_name ?? ""} onClick={() => flag && here.select(route.flag.peek() === number ? null : flag)}>{number}</button>;
      })}
    </div>
  );
}

const DECISIONS: Record<DecisionState, { icon: IconName; style: string }> = {
  accepted: { icon: "check", style: "good" }, rejected: { icon: "cross", style: "" }, tried: { icon: "play", style: "live" },
};

export function DecisionTag({ receipt }: { receipt: Receipt }) {
  const decision = DECISIONS[receipt.event as DecisionState];
  if (!decision) return null;
  return <span class="row small"><span class={`tag ${decision.style}`}><Icon name={decision.icon} />{receipt.event}</span>
    <span class="muted">{receipt.note ? `“${receipt.note}” ` : ""}{receipt.author ?? "no name"}, {when(receipt.at)}</span></span>;
}

export function Obtained({ receipt }: { receipt: Receipt }) {
  if (receipt.obtained_mm === null || !receipt.predicted_mm) return null;
  return <span class="small"><Icon name={receipt.inside ? "check" : "warn"} /> obtained <b>{mm(receipt.obtained_mm, 1)}</b> of {mm(receipt.before_mm, 1)}, predicted {mm(receipt.predicted_mm.value, 1)}{receipt.inside ? "" : ", outside its interval"}</span>;
}

/** Accept, reject with a reason, or mark as tried with the simulation that was computed. */
function Decide({ suggest, change, decision }: { suggest: Suggest; change: Change; decision: Receipt | null }) {
  const [form, setForm] = useState<"rejected" | "tried" | null>(null);
  const [simulations, setSimulations] = useState<Simulation[]>([]);
  const host = useRef<HTMLFormElement>(null);
  useEffect(() => {
    host.current?.querySelector<HTMLElement>("textarea, select")?.focus();
    if (form === "tried") api.simulations().then(setSimulations, () => {});
  }, [form]);
  const send = async () => {
    const values = new FormData(host.current!);
    const text = (name: string) => { const v = values.get(name); return typeof v === "string" && v.trim() ? v.trim() : undefined; };
    author.value = text("author") ?? "";
    const [reason, note, simulation_id] = [text("reason"), text("note"), text("simulation")];
    const taken = await suggest.decide(change.rank, {
      state: form!, ...(reason ? { reason } : {}), ...(note ? { note } : {}), ...(simulation_id ? { simulation_id } : {}),
    });
    if (taken) setForm(null);
  };
  const accepted = decision?.event === "accepted";
  if (!form) {
    return (
      <div class="choices">
        <button class={`button ${decision ? "" : "main"}`} disabled={suggest.busy.value} aria-pressed={accepted} data-decide="accepted" onClick={() => void suggest.decide(change.rank, { state: "accepted" })}><Icon name="check" />Accept</button>
        <button class="button" disabled={suggest.busy.value} aria-pressed={decision?.event === "rejected"} data-decide="rejected" onClick={() => setForm("rejected")}><Icon name="cross" />Reject …</button>
        <button class="button" disabled={suggest.busy.value} aria-pressed={decision?.event === "tried"} data-decide="tried" onClick={() => setForm("tried")}><Icon name="play" />Tried …</button>
      </div>
    );
  }
  return (
    <form ref={host} class="decide" onSubmit={(event) => { event.preventDefault(); void send(); }} onKeyDown={(event) => {
      if (event.key === "Escape") { event.stopPropagation(); setForm(null); }
    }}>
      {form === "rejected" ? <label class="field">Why not<textarea name="reason" rows={2} required maxLength={4000} /></label> : (
        <>
          <label class="field">The simulation that was computed with this change
            <select name="simulation"><option value="">not uploaded yet</option>{simulations.map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}</select></label>
          <p class="muted small">When its review against this test ends, what it gained is noted beside what was predicted.</p>
          <label class="field">Note<textarea name="note" rows={2} maxLength={4000} /></label>
        </>
      )}
      <label class="field">Your name<input name="author" type="text" value={author.value} autocomplete="name" maxLength={200} /></label>
      <div class="row"><button class="button main" type="submit" disabled={suggest.busy.value}>{form === "rejected" ? "Reject" : "Mark as tried"}</button>
        <button class="button" type="button" onClick={() => setForm(null)}>Cancel <kbd>Esc</kbd></button></div>
    </form>
  );
}
