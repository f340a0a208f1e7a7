/** A slider a parameter: its bounds are the track, what the film says is the band on it, and the mesh follows. */
import { fixed, mm } from "../../lib/format";
import { placesFor, shareOf, unitOf, type ParameterEstimate, type SuggestionDocument } from "../../lib/suggestion";
import type { Desk } from "../../state/desk";
import * as overlay from "../../state/overlay";
import type { Suggest } from "../../state/suggest";
import { Icon } from "../icons";

const STEPS = 200;

export function Sliders({ here, suggest, document_ }: { here: Desk; suggest: Suggest; document_: SuggestionDocument }) {
  const change = suggest.change.value;
  return (
    <section class="sliders" aria-label="Parameters">
      <div class="section-head"><h3 class="grow">Try values</h3>
        <div class="segments" role="group" aria-label="Where the sliders stand">
          <button aria-pressed={!suggest.moved.value} title="As the reviewed simulation" onClick={() => suggest.setAll(null)}>As simulated</button>
          <button disabled={!change} title="As the chosen change says" onClick={() => suggest.setAll(change)}>{change ? `Change ${change.rank}` : "Change"}</button>
        </div>
      </div>
      {document_.parameters.map((each, at) => <Slider key={each.parameter.name} suggest={suggest} of={each} at={at} />)}
      <Follows here={here} suggest={suggest} />
    </section>
  );
}

function Slider({ suggest, of, at }: { suggest: Suggest; of: ParameterEstimate; at: number }) {
  const { parameter, estimate, simulated, identified } = of;
  const value = suggest.values.value[at] ?? estimate.value;
  const places = placesFor(parameter);
  const percent = (v: number) => `${(100 * shareOf(parameter, v)).toFixed(2)}%`;
  const unit = unitOf(parameter.unit);
  const says = `film: ${fixed(estimate.value, places)} (${fixed(estimate.lower, places)} to ${fixed(estimate.upper, places)})${unit}`;
  return (
    <label class="slider" data-parameter={parameter.name}>
      <span class="cut">{parameter.name}{identified ? null : <span class="tag unsure" title="The film does not know it to better than a tenth of its range each way">not known</span>}</span>
      <output class="number">{fixed(value, places)}{unit}</output>
      <span class="track" title={`${says}; bounds ${fixed(parameter.lower, places)} to ${fixed(parameter.upper, places)}${unit}`}>
        <i class={`band ${identified ? "" : "loose"}`} style={{ left: percent(estimate.lower), width: `calc(${percent(estimate.upper)} - ${percent(estimate.lower)})` }} />
        <i class="best" style={{ left: percent(estimate.value) }} />
        {simulated === null ? null : <i class="was" style={{ left: percent(simulated) }} />}
        <input type="range" min={parameter.lower} max={parameter.upper} step={(parameter.upper - parameter.lower) / STEPS} value={value}
          aria-label={`${parameter.name}${unit}`} aria-valuetext={`${fixed(value, places)}${unit}; ${says}`}
          onInput={(event) => suggest.set(at, Number(event.currentTarget.value))} />
      </span>
      <span class="bounds small muted" aria-hidden="true"><span>{fixed(parameter.lower, places)}</span><span>{fixed(parameter.upper, places)}</span></span>
    </label>
  );
}

/** What the values would do at the moment that is shown, and how fast it follows. */
function Follows({ here, suggest }: { here: Desk; suggest: Suggest }) {
  const now = suggest.now_mm.value;
  const rate = suggest.follows.value;
  return (
    <div class="follows">
      <div class="legend">
        <span><i class="key band" /> film, 90 %</span><span><i class="key best" /> film, best</span><span><i class="key was" /> simulated</span>
        <span class="grow" />
        <label class="check" title="The elements of the model's mesh over the film"><input type="checkbox" checked={overlay.trial_edges.value}
          onChange={(event) => { overlay.trial_edges.value = event.currentTarget.checked; }} />Mesh over the film</label>
      </div>
      {now && here.trial.value ? (
        <div class="row small"><Icon name="eye" /><span class="grow">now <b>{fixed(now.before, 2)} → {mm(now.after, 2)}</b> <span class="muted" title="Root mean square over the nodes that were measured at this moment">r.m.s.</span></span>
          {rate ? <span class="muted number" data-follows data-ms={rate.ms.toFixed(0)} data-per-s={rate.per_s?.toFixed(1) ?? ""} data-pictures={rate.pictures} title="From a move of the slider to its picture">{rate.per_s === null ? "" : `${fixed(rate.per_s, 0)} pictures/s · `}{fixed(rate.ms, 0)} ms</span> : null}</div>
      ) : <p class="muted small">Move a slider: mesh, colours and predicted picture follow.</p>}
    </div>
  );
}
