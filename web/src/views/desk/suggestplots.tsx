/** What the film can and cannot separate: the directions in parameter space, best known first. */
import { fixed } from "../../lib/format";
import type { SuggestionDocument } from "../../lib/suggestion";

/** The standard deviation of a value of which only the bounds are known, share of the range: the film must do better. */
const KNOWN_SHARE = 0.2887;

export function Identifiability({ document_ }: { document_: SuggestionDocument }) {
  const names = document_.parameters.map((each) => each.parameter.name);
  if (!document_.directions.length) return null;
  return (
    <section aria-label="What the film can separate">
      <div class="section-head"><h3 class="grow">What the film can separate</h3><span class="muted small">best known first</span></div>
      <div class="directions" role="table" aria-label="Directions in parameter space">
        <div class="direction head" role="row"><span role="columnheader" class="small muted">known to</span>
          <span class="weights small muted">{names.map((name, at) => <span role="columnheader" key={name} title={name}>{at + 1}</span>)}</span></div>
        {document_.directions.map((direction, at) => {
          const known = direction.sigma_share <= KNOWN_SHARE;
          return (
            <div key={at} class="direction" role="row" title={direction.words}>
              <span role="cell" class="number small">{known ? "" : "✕ "}± {fixed(100 * Math.min(direction.sigma_share, 9.99), direction.sigma_share < 0.1 ? 1 : 0)} %</span>
              <span class="weights">{direction.weights.map((weight, of) => (
                <span role="cell" key={of} class="weight" aria-label={`${names[of] ?? ""}: ${fixed(weight, 2)}`}><i class={`${weight < 0 ? "minus" : "plus"} ${known ? "" : "loose"}`}
                  style={{ height: `${(50 * Math.abs(weight)).toFixed(1)}%`, ...(weight < 0 ? { top: "50%" } : { bottom: "50%" }) }} /></span>
              ))}</span>
              <span role="cell" class="words small muted">{direction.words}</span>
            </div>
          );
        })}
      </div>
      <p class="small muted key-line">{names.map((name, at) => `${at + 1} ${name}`).join(", ")}. Bars up and down: parts of one direction that move together; ± in shares of the range; ✕ and hatched: the film cannot tell.</p>
    </section>
  );
}
