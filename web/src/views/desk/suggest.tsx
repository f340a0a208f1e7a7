/** What to change so that the simulation comes to the test: beside the flags that it explains. */
import { useEffect, useRef } from "preact/hooks";
import { suggestionFile, type Suggestion } from "../../lib/suggestapi";
import { VERDICT_SAYS, type ModelForm, type SuggestionDocument } from "../../lib/suggestion";
import { count, fixed, mm, ms, when } from "../../lib/format";
import type { Desk } from "../../state/desk";
import * as route from "../../state/route";
import type { Suggest } from "../../state/suggest";
import { Icon, type IconName } from "../icons";
import { Notice } from "../marks";
import { Changes } from "./suggestchanges";
import { Identifiability } from "./suggestplots";
import { NextRuns } from "./suggestruns";
import { Receipts } from "./suggestreceipts";
import { Sliders } from "./suggestsliders";

export function SuggestPanel({ here, suggest }: { here: Desk; suggest: Suggest }) {
  const body = useRef<HTMLDivElement>(null);
  const document_ = suggest.document.value;
  // The first slider is at hand: arrows move it at once.
  useEffect(() => { body.current?.querySelector<HTMLElement>("input[type=range]")?.focus({ preventScroll: true }); }, [document_]);
  return (
    <aside class="suggest" aria-label="Suggestion">
      <div class="bar">
        <h2>What to change</h2><span class="grow" />
        {document_ && suggest.shown.value ? <a class="button" href={suggestionFile(suggest.shown.value.id, "suggestion.html")} target="_blank" rel="noreferrer"><Icon name="print" />Report</a> : null}
        <button class="icon-button" aria-label="Close the suggestion" title="Close (I)" onClick={() => { route.panel.value = null; }}><Icon name="cross" /></button>
      </div>
      <div ref={body} class="scroll">
        {suggest.problem.value ? <div class="block"><Notice text={suggest.problem.value} /></div> : null}
        {here.blind.value ? <p class="empty">Say first what you see; then the suggestion is shown.</p> : (
          <>
            <Standing here={here} suggest={suggest} />
            {document_ ? <Answer here={here} suggest={suggest} document_={document_} /> : null}
          </>
        )}
      </div>
    </aside>
  );
}

/** What was asked for and how it stands; where nothing was, what is needed. */
function Standing({ here, suggest }: { here: Desk; suggest: Suggest }) {
  const newest = suggest.newest.value;
  const again = (name: string, main: boolean) => (
    <button class={`button ${main ? "main" : ""}`} disabled={suggest.busy.value} data-suggest onClick={() => void suggest.begin()}>{name}</button>
  );
  if (suggest.all.value === null) return suggest.problem.value ? null : <p class="empty">Looking for suggestions …</p>;
  if (newest && (newest.state === "queued" || newest.state === "running")) return <Progress suggestion={newest} suggest={suggest} />;
  if (newest?.state === "failed") {
    return <div class="block"><Notice text={newest.refusal ?? "the suggestion failed"} /><StudyHelp runs={suggest.runs.value} />{again("Try again", true)}</div>;
  }
  if (suggest.document.value || suggest.shown.value) {
    return newest?.state === "cancelled" ? <div class="block row"><span class="muted grow">The newest suggestion was cancelled.</span>{again("Ask again", false)}</div> : null;
  }
  if (here.review.value?.state !== "finished") return <p class="empty">A suggestion needs the finished review.</p>;
  const enough = suggest.runs.value === null || suggest.runs.value >= FEWEST_RUNS;
  return (
    <div class="block ask">
      {enough ? (
        <>
          <p><b>Which parameter brings the simulation to the film?</b></p>
          <p class="muted">From {suggest.runs.value ? `the ${count(suggest.runs.value, "run")} of this design` : "the runs of this design"} a fast model is made; the film's
            deviations then say which parameters moved, how surely, and what is left.</p>
          {again("Suggest a change", true)}
        </>
      ) : <><p><b>This campaign has no study.</b></p><StudyHelp runs={suggest.runs.value} /></>}
    </div>
  );
}

const FEWEST_RUNS = 4;

function StudyHelp({ runs }: { runs: number | null }) {
  if (runs !== null && runs >= FEWEST_RUNS) return null;
  return (
    <>
      <p class="muted">A study is at least {FEWEST_RUNS} simulations of this design with other parameters{runs ? `; ${count(runs, "run")} of it ${runs === 1 ? "is" : "are"} here` : ""}.
        Upload the runs (.vtkhdf), each with its side-car (.json) that tells <code>family</code> and <code>parameters</code>: they form the study by themselves.</p>
      <a class="button" href="/upload"><Icon name="upload" />Upload the runs of the design</a>
    </>
  );
}

const STAGES: Record<string, string> = {
  queued: "waiting for its turn", files: "laying out the runs", study: "reading the study", surrogate: "making the fast model", film: "reading the film's deviations",
  estimate: "estimating the parameters", write: "writing",
};

function Progress({ suggestion, suggest }: { suggestion: Suggestion; suggest: Suggest }) {
  const known = suggestion.total > 0;
  return (
    <div class="block" role="status">
      <progress max={1} {...(known ? { value: suggestion.done / suggestion.total } : {})} aria-label="suggestion" />
      <div class="row"><span class="grow muted">{STAGES[suggestion.stage] ?? suggestion.stage}{known ? ` · ${suggestion.done} of ${suggestion.total}` : ""}</span>
        <button class="button" onClick={() => void suggest.cancel()}>Cancel</button></div>
    </div>
  );
}

const VERDICT_ICONS: Record<SuggestionDocument["verdict"], IconName> = { change: "check", inside_noise: "circle", cannot_tell: "hidden", model_form: "warn" };

function Answer({ here, suggest, document_ }: { here: Desk; suggest: Suggest; document_: SuggestionDocument }) {
  const { name, says } = VERDICT_SAYS[document_.verdict];
  const style = document_.verdict === "change" ? "good" : document_.verdict === "model_form" ? "alarm" : "unsure";
  return (
    <>
      <section class="block headline" aria-label="In one sentence" data-verdict={document_.verdict}>
        <span class={`tag ${style}`} title={says}><Icon name={VERDICT_ICONS[document_.verdict]} />{name}</span>
        <p>{document_.headline}</p>
      </section>
      <Sliders here={here} suggest={suggest} document_={document_} />
      <Changes here={here} suggest={suggest} document_={document_} />
      {document_.model_form.length ? <ModelForms here={here} forms={document_.model_form} /> : null}
      <Identifiability document_={document_} />
      <NextRuns suggest={suggest} document_={document_} />
      <Receipts suggest={suggest} />
      <Trust suggest={suggest} document_={document_} />
    </>
  );
}

/** What no parameter explains: place and time are found, causes are guessed and say so. */
function ModelForms({ here, forms }: { here: Desk; forms: ModelForm[] }) {
  const show = (form: ModelForm) => {
    route.part.value = form.part_id;
    if (route.moments_s.peek().length) {
      here.playing.value = false;
      route.moment.value = route.nearest(route.moments_s.peek(), form.onset_s);
    }
  };
  return (
    <section aria-label="Not explained by any parameter">
      <div class="section-head"><h3 class="grow">No parameter explains</h3></div>
      {forms.map((form) => (
        <div key={`${form.part_id} ${form.place}`} class="form">
          <button class="link" onClick={() => show(form)}><Icon name="warn" /><span><b>{form.part_name}</b>, {form.place}</span></button>
          <div>{form.words}</div>
          <div class="muted small">from {ms(form.onset_s)} · {mm(form.left_mm)} left · {fixed(form.ratio, 1)} × what any run of the study leaves</div>
          <ol class="guesses" aria-label="Hypotheses">
            {form.hypotheses.slice(0, 3).map((each) => (
              <li key={each.cause}><span class="tag unsure">hypothesis</span><span><b>{each.cause}</b> <span class="muted">{each.because}</span></span><span class="number muted" title="How much of the pattern fits, 0 to 1">{fixed(each.score, 2)}</span></li>
            ))}
          </ol>
        </div>
      ))}
    </section>
  );
}

/** How far the answer can be trusted. */
function Trust({ suggest, document_ }: { suggest: Suggest; document_: SuggestionDocument }) {
  const { surrogate } = document_;
  const all = surrogate.errors[0];
  return (
    <section aria-label="What it rests on" class="trust">
      <div class="section-head"><h3 class="grow">What it rests on</h3></div>
      <p class="muted small">{count(surrogate.runs, "run")}, {count(surrogate.modes, "mode")}{all ? `; each run left out in turn, the model errs by ${mm(all.model_mm, 2)} where the runs spread by ${mm(all.spread_mm, 2)}` : ""}.
        {suggest.shown.value ? ` Made ${when(suggest.shown.value.finished_at)}.` : ""}</p>
      {document_.warnings.map((each) => <p key={each} class="small row" style={{ alignItems: "flex-start" }}><Icon name="warn" /><span class="muted">{each}</span></p>)}
      {document_.refused_runs.length ? (
        <details><summary class="small">{count(document_.refused_runs.length, "run")} left out</summary>
          <ul>{document_.refused_runs.map((each) => <li key={each.name} class="small"><b>{each.name}</b> <span class="muted">{each.reason}</span></li>)}</ul></details>
      ) : null}
      <button class="button" disabled={suggest.busy.value} data-suggest onClick={() => void suggest.begin()}>Suggest anew from all runs that are here now</button>
    </section>
  );
}
