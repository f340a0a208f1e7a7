/** What the page asks about suggestions. */
import { ask, BASE } from "./api";
import type { Id, Page } from "./contract";
import type { Interval, SuggestionDocument } from "./suggestion";

export interface Suggestion {
  id: Id;
  review_id: Id;
  state: "queued" | "running" | "finished" | "failed" | "cancelled";
  stage: string;
  done: number;
  total: number;
  refusal: string | null;
  verdict: string | null;
  headline: string | null;
  changes: number;
  sha256: string | null;
  created_at: string;
  finished_at: string | null;
}

export type DecisionState = "accepted" | "rejected" | "tried";

export interface Receipt {
  number: number;
  at: string;
  event: "suggested" | "obtained" | DecisionState;
  change: number;
  simulation_id: Id | null;
  review_id: Id | null;
  author: string | null;
  note: string | null;
  before_mm: number | null;
  predicted_mm: Interval | null;
  obtained_mm: number | null;
  inside: boolean | null;
  sha256: string;
}

export interface Decision {
  state: DecisionState;
  reason?: string;
  note?: string;
  author?: string;
  simulation_id?: Id;
}

export interface Study {
  family: string;
  simulation_ids: Id[];
}

const part = encodeURIComponent;
const json = (method: string, body: unknown) => ({ method, body: JSON.stringify(body), headers: { "content-type": "application/json" } });
const read = async <T>(path: string, init?: RequestInit) => (await (await ask(path, init)).json()) as T;

export const suggestions = async (review: Id) => (await read<Page<Suggestion>>(`/reviews/${part(review)}/suggestions`)).items;
export const suggestion = (id: Id) => read<{ suggestion: Suggestion; document: SuggestionDocument | null }>(`/suggestions/${part(id)}`);
export const askForSuggestion = (review: Id, next_runs: number) => read<Suggestion>(`/reviews/${part(review)}/suggestions`, json("POST", { next_runs }));
export const cancelSuggestion = (id: Id) => read<Suggestion>(`/suggestions/${part(id)}`, { method: "DELETE" });
export const receipts = async (id: Id) => (await read<Page<Receipt>>(`/suggestions/${part(id)}/receipts`)).items;
export const decide = (id: Id, rank: number, decision: Decision) => read<Receipt>(`/suggestions/${part(id)}/changes/${rank}/decision`, json("PUT", decision));
export const studies = async () => (await read<Page<Study>>("/studies")).items;

export const suggestionFile = (id: Id, name: string) => `${BASE}/suggestions/${part(id)}/${name}`;

/** Node positions of the reduced model, mm. */
export async function modelMesh(id: Id, time_s: number, values: readonly number[], stop: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
  const reply = await ask(`/suggestions/${part(id)}/surrogate/mesh?time_s=${time_s}&p=${values.join(",")}`, { signal: stop });
  return new Float32Array(await reply.arrayBuffer());
}
