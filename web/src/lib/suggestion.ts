/** The document of a suggestion (suggestion.json) and what is computed from it without a page. */
import type { MeshState } from "./meshfile";

export interface Interval {
  value: number;
  lower: number;
  upper: number;
}

export interface StudyParameter {
  name: string;
  unit: string;
  lower: number;
  upper: number;
  nominal: number | null;
}

export interface ParameterEstimate {
  parameter: StudyParameter;
  simulated: number | null;
  estimate: Interval;
  half_width_share: number;
  identified: boolean;
}

export interface Direction {
  /** Unit vector over the parameters, each in shares of its range. */
  weights: number[];
  sigma_share: number;
  words: string;
}

export interface PartGain {
  part_id: number;
  part_name: string;
  before_mm: number;
  after_mm: Interval;
}

export interface Move {
  name: string;
  unit: string;
  from: number;
  to: Interval;
}

export interface Change {
  rank: number;
  /** Probability that it lessens the mismatch; missing in old documents. */
  helps?: number;
  moves: Move[];
  before_mm: number;
  after_mm: Interval;
  parts: PartGain[];
  explains: number[];
  leaves: number[];
  why: string;
}

export interface Hypothesis {
  cause: string;
  score: number;
  because: string;
}

export interface ModelForm {
  part_id: number;
  part_name: string;
  place: string;
  onset_s: number;
  left_mm: number;
  ratio: number;
  words: string;
  hypotheses: Hypothesis[];
}

export interface NextRun {
  name: string;
  values: number[];
  variance_left: number;
}

export type SuggestionVerdict = "change" | "inside_noise" | "cannot_tell" | "model_form";

export interface SuggestionDocument {
  test_id: string;
  verdict: SuggestionVerdict;
  headline: string;
  parameters: ParameterEstimate[];
  directions: Direction[];
  changes: Change[];
  model_form: ModelForm[];
  fit_p_value: number | null;
  surrogate: { runs: number; modes: number; energy: number; errors: { part_name: string; model_mm: number; spread_mm: number }[] };
  refused_runs: { name: string; reason: string }[];
  next_runs: NextRun[];
  warnings: string[];
}

export const VERDICT_SAYS: Record<SuggestionVerdict, { name: string; says: string }> = {
  change: { name: "Change", says: "a parameter explains the mismatch" },
  inside_noise: { name: "Inside the noise", says: "the simulation agrees with the film as far as both are known" },
  cannot_tell: { name: "Cannot tell", says: "there is a mismatch, but the film does not say which parameter" },
  model_form: { name: "Model form", says: "something is left that no parameter of the study explains" },
};

/** Places after the point so that a hundredth of the range shows. */
export function placesFor(parameter: { lower: number; upper: number }): number {
  const range = Math.abs(parameter.upper - parameter.lower);
  return range > 0 ? Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(range)))) : 2;
}

/** The unit as it stands after a number; nothing for pure numbers. */
export const unitOf = (unit: string) => (unit === "" || unit === "-" || unit === "1" ? "" : ` ${unit}`);

export const shareOf = (parameter: { lower: number; upper: number }, value: number) =>
  Math.min(Math.max((value - parameter.lower) / (parameter.upper - parameter.lower || 1), 0), 1);

/** Where the reviewed simulation stands; the middle of the range where it does not tell. */
export const simulatedValues = (document: SuggestionDocument) =>
  document.parameters.map(({ parameter, simulated }) => simulated ?? parameter.nominal ?? (parameter.lower + parameter.upper) / 2);

/** The sliders for a change: what it moves is moved, the rest stays as simulated. */
export function valuesOfChange(document: SuggestionDocument, change: Change): number[] {
  const from = simulatedValues(document);
  return document.parameters.map(({ parameter }, at) => {
    const to = change.moves.find((each) => each.name === parameter.name)?.to.value ?? from[at]!;
    return Math.min(Math.max(to, parameter.lower), parameter.upper);
  });
}

/** Values as they stand in an address, and back; null when they are not of these parameters. */
export const valuesAsText = (values: readonly number[]) => values.map((each) => String(Number(each.toPrecision(6)))).join(",");

export function valuesFromText(text: string | null, document: SuggestionDocument): number[] | null {
  if (!text) return null;
  const values = text.split(",").map(Number);
  if (values.length !== document.parameters.length || !values.every(Number.isFinite)) return null;
  return values.map((each, at) => {
    const { lower, upper } = document.parameters[at]!.parameter;
    return Math.min(Math.max(each, lower), upper);
  });
}

/** The film against the model at other parameters: where the film has the nodes stays, the deviation is to the model. */
export function trialState(measured: MeshState, positions_mm: Float32Array<ArrayBuffer>, kept: MeshState | null): MeshState {
  const deviation_mm = kept?.deviation_mm.length === positions_mm.length ? kept.deviation_mm : new Float32Array(positions_mm.length);
  for (let node = 0; node < measured.sigma_mm.length; node++) {
    const seen = measured.sigma_mm[node]! >= 0;
    for (let at = 3 * node; at < 3 * node + 3; at++) {
      deviation_mm[at] = seen ? measured.simulated_mm[at]! + measured.deviation_mm[at]! - positions_mm[at]! : 0;
    }
  }
  return { simulated_mm: positions_mm, deviation_mm, sigma_mm: measured.sigma_mm, plastic_strain: measured.plastic_strain, seen: measured.seen, alive: measured.alive };
}

/** Root mean square of the deviation over the measured nodes, mm; null where none is. */
export function mismatch(state: MeshState): number | null {
  let sum = 0;
  let count = 0;
  for (let node = 0; node < state.sigma_mm.length; node++) {
    if (state.sigma_mm[node]! < 0) continue;
    for (let at = 3 * node; at < 3 * node + 3; at++) sum += state.deviation_mm[at]! ** 2;
    count += 1;
  }
  return count ? Math.sqrt(sum / count) : null;
}
