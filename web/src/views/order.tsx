/** Which tests are reviewed against which simulation: seen before it is ordered. */
import { useEffect, useState } from "preact/hooks";
import * as api from "../lib/api";
import type { Simulation, Test } from "../lib/contract";
import { count } from "../lib/format";
import { pairsOf, type Pair } from "../lib/pairing";
import { messageOf } from "../state/desk";
import { go } from "../state/route";
import { uploads } from "../state/uploads";
import { Notice } from "./marks";

interface Choice {
  campaign: string | null;
  simulations: Simulation[];
  tests: Test[];
  /** Tests that a review measures or waits for. */
  under_review: ReadonlySet<string>;
}

export function ReviewCard({ campaign: into, simulations, tests, under_review }: Choice) {
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [wanted, setSimulation] = useState<string>("");
  const [by_test, setByTest] = useState<ReadonlyMap<string, string>>(new Map());
  const [tolerance, setTolerance] = useState("5");
  const [study, setStudy] = useState(true);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const just_sent = uploads.value.flatMap((each) => each.said?.test_id ?? []).join();
  const just_simulated = uploads.value.flatMap((each) => each.said?.simulation_id ?? []).at(-1);
  useEffect(() => { if (just_sent) setPicked((before) => new Set([...before, ...just_sent.split(",")])); }, [just_sent]);
  useEffect(() => { if (just_simulated) setSimulation(just_simulated); }, [just_simulated]);
  // One that was deleted, or is not listed yet, is none.
  const simulation = simulations.some((each) => each.id === wanted) ? wanted : "";
  const chosen = tests.filter((each) => picked.has(each.id));
  const pairs = pairsOf(chosen, simulations, simulation ? new Map(chosen.map((each) => [each.id, simulation])) : by_test);
  const undecided = pairs.filter((each) => each.simulation === null).length;
  const valid = Number(tolerance) > 0 && chosen.length > 0 && undecided === 0;
  const start = async () => {
    setBusy(true);
    setProblem(null);
    try {
      const ordered = pairs.flatMap((each) => (each.simulation ? [{ simulation_id: each.simulation.id, test_id: each.test.id }] : []));
      const made = await api.startReviews({ pairs: ordered, tolerance_mm: Number(tolerance), study, ...(into ? { campaign_id: into } : {}) }, key());
      const only = made.reviews.length === 1 ? made.reviews[0] : undefined;
      go(only ? `/reviews/${only.id}` : "/jobs");
    } catch (cause) {
      setProblem(messageOf(cause));
    }
    setBusy(false);
  };
  return (
    <section class="card" aria-label="Review">
      <div class="card-head"><h2>Review</h2><span class="muted small">tests against a simulation</span></div>
      <form class="body" style={{ display: "grid", gap: "10px" }} onSubmit={(event) => { event.preventDefault(); if (valid && !busy) void start(); }}>
        <fieldset style={{ border: "none", padding: 0, margin: 0 }}>
          <legend class="small muted" style={{ padding: "0 0 3px" }}>Tests</legend>
          <div class="pick">
            {tests.length === 0 ? <p class="empty">No test in this campaign yet.</p> : tests.map((each) => (
              <label key={each.id}>
                <input type="checkbox" checked={picked.has(each.id)} onChange={(event) => {
                  const next = new Set(picked);
                  if (event.currentTarget.checked) next.add(each.id);
                  else next.delete(each.id);
                  setPicked(next);
                }} />
                <span class="grow cut" title={each.name}>{each.name}</span><span class="muted small">{standingOf(each, under_review)}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <label class="field">Simulation
          <select class="cut" value={simulation} onChange={(event) => setSimulation(event.currentTarget.value)}>
            <option value="">by name, each test with the closest</option>
            {simulations.map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}
          </select></label>
        {simulation || !pairs.length ? null : (
          <Pairs pairs={pairs} simulations={simulations} choose={(test, chosen_id) => setByTest(new Map(by_test).set(test, chosen_id))} />
        )}
        <label class="field">Tolerance, mm
          <input type="number" min="0.1" step="0.1" value={tolerance} onInput={(event) => setTolerance(event.currentTarget.value)} /></label>
        <label class="check" title="Where four or more designs of the simulation are here, they tell what an impactor or a fold hides from the cameras">
          <input type="checkbox" checked={study} onChange={(event) => setStudy(event.currentTarget.checked)} />
          Use the study: other designs of the simulation</label>
        {problem ? <Notice text={problem} /> : null}
        <button class="button main" type="submit" disabled={!valid || busy}>{busy ? "Starting …" : `Review ${count(chosen.length, "test")}`}</button>
        {undecided ? <p class="small muted">{undecided === 1 ? "One test has" : `${undecided} tests have`} no simulation yet: choose above.</p> : null}
      </form>
    </section>
  );
}

function standingOf(test: Test, under_review: ReadonlySet<string>): string {
  if (under_review.has(test.id)) return "under review";
  return test.state === "stored" ? "not reviewed" : test.state;
}

const SAYS: Record<Pair<Test, Simulation>["by"], string> = {
  chosen: "chosen", name: "by name", none: "no name fits: choose", several: "several names fit: choose",
};

function Pairs({ pairs, simulations, choose }: { pairs: Pair<Test, Simulation>[]; simulations: Simulation[]; choose: (test: string, simulation: string) => void }) {
  return (
    <ul class="pairs" aria-label="Pairs">
      {pairs.map(({ test, simulation, by }) => (
        <li key={test.id} data-pair={by}>
          <span class="cut" title={test.name}>{test.name}</span><span aria-hidden="true">←</span>
          <select class="cut" aria-label={`Simulation for ${test.name}`} value={simulation?.id ?? ""} onChange={(event) => choose(test.id, event.currentTarget.value)}>
            {simulation ? null : <option value="" disabled>choose …</option>}
            {simulations.map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}
          </select>
          <span class={`small ${simulation ? "muted" : "alarm"}`}>{SAYS[by]}</span>
        </li>
      ))}
    </ul>
  );
}

/** randomUUID needs a secure context; the service only wants a key that is not used twice. */
const key = () => globalThis.crypto?.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
