/**
 * The suggestion of the review on the desk: its document, what was decided, and the sliders that move the reduced model.
 * One question about the model is under way at a time; when it is answered, the newest place of the sliders is asked for.
 */
import { batch, computed, effect, signal } from "@preact/signals";
import * as ask from "../lib/suggestapi";
import { mismatch, simulatedValues, trialState, valuesAsText, valuesFromText, valuesOfChange, type Change, type SuggestionDocument } from "../lib/suggestion";
import type { MeshState } from "../lib/meshfile";
import { messageOf, TRIAL, type Desk } from "./desk";
import { onEvent, onReconnect } from "./events";
import { author } from "./settings";
import * as route from "./route";

/** Next runs that are asked for. */
const NEXT_RUNS = 8;
/** The rate that is shown is that of the last pictures within this time. */
const RATE_WINDOW_MS = 1500;

export class Suggest {
  /** Newest first. */
  readonly all = signal<readonly ask.Suggestion[] | null>(null);
  readonly document = signal<SuggestionDocument | null>(null);
  readonly receipts = signal<readonly ask.Receipt[]>([]);
  readonly problem = signal<string | null>(null);
  readonly busy = signal(false);
  /** Simulations of the design, this one included; null where that is not known. */
  readonly runs = signal<number | null>(null);
  readonly values = signal<readonly number[]>([]);
  /** What the model moved to last: mismatch at this moment before and with the sliders' values, mm. */
  readonly now_mm = signal<{ before: number | null; after: number | null } | null>(null);
  /** How fast the picture follows the sliders: pictures a second, and the time from a move to its picture, ms. */
  readonly follows = signal<{ per_s: number | null; ms: number; pictures: number } | null>(null);
  readonly newest = computed(() => this.all.value?.[0] ?? null);
  /** The newest that has a document. */
  readonly shown = computed(() => this.all.value?.find((each) => each.state === "finished") ?? null);
  readonly change = computed<Change | null>(() => this.document.value?.changes.find((each) => each.rank === route.change.value) ?? null);
  /** True while the sliders stand elsewhere than the reviewed simulation. */
  readonly moved = computed(() => {
    const document = this.document.value;
    return !!document && valuesAsText(this.values.value) !== valuesAsText(simulatedValues(document));
  });

  private readonly ends: (() => void)[] = [];
  private gone = false;
  private asked_key = "";
  private under_way: AbortController | null = null;
  private kept: MeshState | null = null;
  private last_shown: string | null = null;
  private shown_at: number[] = [];
  private moved_at = 0;
  private pictures = 0;
  /** Counts answers, each of which may find the sliders elsewhere. */
  private readonly answers = signal(0);

  constructor(readonly desk: Desk) {
    this.ends.push(
      onEvent(({ name, thing }) => {
        if (name === "suggestion" && thing["review_id"] === desk.id) this.heard(thing as unknown as ask.Suggestion);
        if (name === "simulation") void this.countRuns();
      }),
      onReconnect(() => void this.load()),
      effect(() => { if (route.panel.value === "suggest" && this.all.peek() === null) void this.load(); }),
      effect(() => this.loadDocument()),
      effect(() => this.follow()),
    );
  }

  async load(): Promise<void> {
    try {
      const all = await ask.suggestions(this.desk.id);
      if (!this.gone) this.all.value = all;
      await this.countRuns();
    } catch (cause) {
      if (!this.gone) this.problem.value = messageOf(cause);
    }
  }

  private async countRuns(): Promise<void> {
    const simulation = this.desk.review.peek()?.simulation_id;
    const studies = await ask.studies().catch(() => []);
    const study = studies.find((each) => each.simulation_ids.some((id) => id === simulation));
    if (!this.gone) this.runs.value = study?.simulation_ids.length ?? null;
  }

  private heard(now: ask.Suggestion): void {
    const all = this.all.peek();
    if (!all) return;
    const there = all.some((each) => each.id === now.id);
    this.all.value = there ? all.map((each) => (each.id === now.id ? { ...each, ...now } : each)) : [now, ...all];
    if (now.id === this.shown.peek()?.id) void this.loadReceipts();
  }

  private loadDocument(): void {
    const shown = this.shown.value;
    const key = shown?.id ?? null;
    if (key === this.last_shown) return;
    this.last_shown = key;
    this.document.value = null;
    if (!shown) return;
    void ask.suggestion(shown.id).then(({ document }) => {
      if (this.gone || !document || this.last_shown !== key) return;
      batch(() => {
        this.document.value = document;
        const first = document.changes.find((each) => each.rank === route.change.peek()) ?? document.changes[0] ?? null;
        route.change.value = first?.rank ?? null;
        this.values.value = valuesFromText(route.sliders.peek(), document) ?? simulatedValues(document);
      });
      void this.loadReceipts();
    }, (cause: unknown) => { this.problem.value = messageOf(cause); });
  }

  private async loadReceipts(): Promise<void> {
    const id = this.shown.peek()?.id;
    const receipts = id ? await ask.receipts(id).catch(() => null) : null;
    if (receipts && !this.gone) this.receipts.value = receipts;
  }

  async begin(): Promise<void> {
    await this.trying(async () => {
      const made = await ask.askForSuggestion(this.desk.id, NEXT_RUNS);
      const all = this.all.peek() ?? [];
      this.all.value = [made, ...all.filter((each) => each.id !== made.id)];
    });
  }

  async cancel(): Promise<void> {
    const now = this.newest.peek();
    if (now) await this.trying(async () => this.heard(await ask.cancelSuggestion(now.id)));
  }

  /** Notes a decision; true when the service took it. */
  async decide(rank: number, decision: ask.Decision): Promise<boolean> {
    const id = this.shown.peek()?.id;
    if (!id) return false;
    return this.trying(async () => {
      await ask.decide(id, rank, { ...decision, ...(author.peek() ? { author: author.peek() } : {}) });
      await this.loadReceipts();
    });
  }

  private async trying(run: () => Promise<void>): Promise<boolean> {
    this.busy.value = true;
    this.problem.value = null;
    try {
      await run();
      return true;
    } catch (cause) {
      if (!this.gone) this.problem.value = messageOf(cause);
      return false;
    } finally {
      this.busy.value = false;
    }
  }

  /** What holds of a change: the newest decision, and what a re-run gained. */
  standing(rank: number): { decision: ask.Receipt | null; obtained: ask.Receipt | null } {
    const own = this.receipts.value.filter((each) => each.change === rank || (each.change === 0 && each.event === "rejected"));
    return {
      decision: own.filter((each) => each.event !== "obtained").at(-1) ?? null,
      obtained: own.filter((each) => each.event === "obtained").at(-1) ?? null,
    };
  }

  set(at: number, value: number): void {
    const parameter = this.document.peek()?.parameters[at]?.parameter;
    if (!parameter) return;
    this.moved_at = performance.now();
    const inside = Math.min(Math.max(value, parameter.lower), parameter.upper);
    this.values.value = this.values.peek().map((each, other) => (other === at ? inside : each));
  }

  /** Puts the sliders where a change would, or back to the reviewed simulation. */
  setAll(change: Change | null): void {
    const document = this.document.peek();
    if (!document) return;
    this.moved_at = performance.now();
    this.values.value = change ? valuesOfChange(document, change) : simulatedValues(document);
  }

  /** Keeps the model's mesh where the sliders and the time are. */
  private follow(): void {
    const { desk } = this;
    const open = route.panel.value === "suggest";
    const id = this.shown.value?.id;
    const values = this.values.value;
    const moment = route.moment.value;
    void [desk.arrivals.value, this.answers.value];
    if (this.document.value) route.sliders.value = this.moved.value ? valuesAsText(values) : null;
    if (!open || !id || !this.moved.value || desk.blind.value) return this.rest();
    const key = `${id} ${moment} ${valuesAsText(values)}`;
    if (this.asked_key === key || this.under_way || !desk.model.peek()?.has(moment)) return;
    this.asked_key = key;
    void this.askModel(id, moment, values);
  }

  private rest(): void {
    if (this.asked_key === "" && !this.now_mm.peek()) return;
    this.asked_key = "";
    batch(() => {
      this.desk.trial.value = null;
      this.now_mm.value = null;
      this.follows.value = null;
      this.desk.arrivals.value += 1;
    });
  }

  private async askModel(id: string, moment: number, values: readonly number[]): Promise<void> {
    const stop = new AbortController();
    this.under_way = stop;
    const began = this.moved_at || performance.now();
    this.moved_at = 0;
    try {
      const positions = await ask.modelMesh(id, route.moments_s.peek()[moment] ?? 0, values, stop.signal);
      if (!this.gone && this.asked_key !== "") this.show(moment, positions, began);
    } catch (cause) {
      if (!this.gone) this.problem.value = messageOf(cause);
    } finally {
      this.under_way = null;
      // The sliders may have gone on meanwhile.
      if (!this.gone) this.answers.value += 1;
    }
  }

  private show(moment: number, positions: Float32Array<ArrayBuffer>, began: number): void {
    const { desk } = this;
    const model = desk.model.peek();
    const measured = model?.state(moment);
    if (!model || !measured || positions.length !== measured.simulated_mm.length) return;
    this.kept = trialState(measured, positions, this.kept);
    model.put(TRIAL, this.kept);
    batch(() => {
      desk.trial.value = { moment, serial: (desk.trial.peek()?.serial ?? 0) + 1 };
      this.now_mm.value = { before: mismatch(measured), after: mismatch(this.kept!) };
      desk.arrivals.value += 1;
    });
    // The stage draws in the next frame; the one after tells that it was shown.
    requestAnimationFrame(() => requestAnimationFrame((at) => {
      // Two answers in one frame are one picture.
      if (this.shown_at.at(-1) === at) return;
      this.shown_at = [...this.shown_at.filter((each) => at - each < RATE_WINDOW_MS), at];
      this.pictures += 1;
      this.follows.value = { per_s: rateOf(this.shown_at), ms: at - began, pictures: this.pictures };
    }));
  }

  dispose(): void {
    this.gone = true;
    this.under_way?.abort();
    for (const end of this.ends) end();
    this.desk.trial.value = null;
  }
}

/** Pictures a second from the times at which they were shown, ms; null where they are too few to tell. */
export function rateOf(shown_ms: readonly number[]): number | null {
  const span_ms = (shown_ms.at(-1) ?? 0) - (shown_ms[0] ?? 0);
  return shown_ms.length > 3 && span_ms > 150 ? (1000 * (shown_ms.length - 1)) / span_ms : null;
}

export const suggest = signal<Suggest | null>(null);
