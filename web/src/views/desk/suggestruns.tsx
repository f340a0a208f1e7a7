/** The simulations worth computing next. */
import { Fragment } from "preact";
import { fixed } from "../../lib/format";
import { suggestionFile } from "../../lib/suggestapi";
import { placesFor, unitOf, type SuggestionDocument } from "../../lib/suggestion";
import type { Suggest } from "../../state/suggest";
import { Icon } from "../icons";

/** A name that may be broken after its underscores, and nowhere else. */
const Broken = ({ name }: { name: string }) => <>{name.split(/(?<=_)/).map((word, at) => <Fragment key={at}>{at ? <wbr /> : null}{word}</Fragment>)}</>;

export function NextRuns({ suggest, document_ }: { suggest: Suggest; document_: SuggestionDocument }) {
  const id = suggest.shown.value?.id;
  const runs = document_.next_runs;
  if (!runs.length || !id) return null;
  const parameters = document_.parameters.map((each) => each.parameter);
  return (
    <section aria-label="Runs worth computing">
      <div class="section-head"><h3 class="grow">Runs worth computing</h3>
        <a class="button" href={suggestionFile(id, "next-runs.csv")} download="next_runs.csv"><Icon name="download" />CSV</a>
        <a class="button" href={suggestionFile(id, "next-runs.json")} download="next_runs.json"><Icon name="download" />JSON</a></div>
      <div class="wide" tabIndex={0} role="region" aria-label="Table of runs">
        <table class="runs">
          <thead><tr><th>Run</th>{parameters.map((each) => <th key={each.name} class="number" title={each.name}><Broken name={each.name} />{unitOf(each.unit) ? <><br /><span class="muted">{each.unit}</span></> : null}</th>)}<th class="number">doubt left</th></tr></thead>
          <tbody>{runs.map((run) => (
            <tr key={run.name}><td>{run.name}</td>{run.values.map((value, at) => <td key={at} class="number">{fixed(value, placesFor(parameters[at]!))}</td>)}
              <td class="number">{fixed(100 * run.variance_left, 0)} %</td></tr>
          ))}</tbody>
        </table>
      </div>
    </section>
  );
}
