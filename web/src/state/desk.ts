/** One review on the desk: what the service knows of it, its pictures and states fetched ahead, and the player. */
import { batch, computed, effect, signal } from "@preact/signals";
import { MeshModel, RimLines, type Rim } from "../gl/meshmodel";
import * as api from "../lib/api";
import { stands, type CanvasCamera, type FirstLook, type Flag, type Live, type Result, type Review, type Simulation, type Test, type VerdictSaid } from "../lib/contract";
import { nodeParts, readMesh, readState, rimsByNumber, tellsSeen } from "../lib/meshfile";
import { nearestFirst, PictureStore } from "../lib/pictures";
import { onEvent, onReconnect } from "./events";
import * as overlay from "./overlay";
import * as route from "./route";
import { author, kept } from "./settings";

/** Decoded pictures fetched ahead, in bytes; the store itself keeps a little more. */
const AHEAD_BYTES = 300 * 2 ** 20;
const STATES_AT_ONCE = 2;
const MOST_RIMS = 256;
/** A live result is read again at most this often. */
const LIVE_PAUSE_MS = 1000;
/** How long the player waits for a picture before it shows the moment without. */
const LONGEST_WAIT_MS = 1500;

export const blind_first = kept("blind", false);
/** First looks by review, so that a blind look survives a reload. */
const looks = kept<Record<string, FirstLook>>("looks", {});
export const pictures_per_s = kept("pictures_per_s", 10);
/** Pictures a second that can be chosen. */
export const RATES = [2, 5, 10, 15, 25, 30, 60];
export const repeat = kept("repeat", true);

type Layer = "film" | "predicted";

/** The slot of the mesh at values that were not simulated: no moment has this number. */
export const TRIAL = -1;

export class Desk {
  readonly review = signal<Review | null>(null);
  readonly test = signal<Test | null>(null);
  /** How a live test stands; null for any other. */
  readonly live = signal<Live | null>(null);
  readonly simulation = signal<Simulation | null>(null);
  readonly result = signal<Result | null>(null);
  readonly flags = signal<readonly Flag[]>([]);
  /** Judged once and not found by a later look: shown for what was said of them, counted nowhere. */
  readonly withdrawn = signal<readonly Flag[]>([]);
  readonly problem = signal<string | null>(null);
  readonly pending = signal<string | null>(null);
  readonly model = signal<MeshModel | null>(null);
  readonly mesh_problem = signal<string | null>(null);
  /** Counts what arrives of the moment shown (pictures, states, rims), so that what is drawn follows. */
  readonly arrivals = signal(0);
  readonly playing = signal(false);
  readonly waiting = signal(false);
  /** True while the film is being taken. */
  readonly live_now = computed(() => this.review.value?.live === true && this.review.value.state !== "finished");
  readonly looked = computed(() => looks.value[this.id] ?? null);
  /** True while the engineer looks without being told. */
  readonly blind = computed(() => blind_first.value && this.looked.value === null);
  readonly shown_flags = computed(() => (this.blind.value ? [] : this.flags.value));
  readonly selected = computed(() => this.shown_flags.value.find((each) => each.number === route.flag.value) ?? null);
  readonly time_s = computed(() => route.moments_s.value[route.moment.value] ?? 0);
  readonly cameras = computed(() => this.result.value?.cameras ?? []);
  /** The moment for which the trial slot holds the mesh at other parameters, while somebody tries them. */
  readonly trial = signal<{ moment: number; serial: number } | null>(null);
  /** Pixels that a picture area is wide; pictures are asked for no larger than that. */
  readonly area_px = signal(0);
  node_part: Int32Array | null = null;
  readonly rim_lines = new RimLines();

  private readonly pictures: PictureStore;
  private readonly rims = new Map<number, Map<number, Uint32Array<ArrayBuffer>>>();
  private readonly numbers = new Map<number, Uint16Array>();
  private readonly states_under_way = new Set<number>();
  private readonly ends: (() => void)[] = [];
  private direction = 1;
  private gone = false;
  private rims_key = "";
  private live_timer = 0;

  constructor(readonly id: string) {
    this.pictures = new PictureStore((path, stop) => api.ask(path, { signal: stop }), (path) => {
      if (this.shownPaths().includes(path)) this.arrivals.value += 1;
    });
    this.ends.push(onEvent(({ name, thing }) => {
      if (name === "review" && thing["id"] === this.id) this.reviewChanged(thing as unknown as Review);
      if ((name === "flag" || name === "verdict") && (thing["review_id"] ?? this.id) === this.id) void this.loadFlags();
      if (name === "live" && thing["review_id"] === this.id) this.liveGoesOn(thing as unknown as Live);
    }), onReconnect(() => void this.load()));
    let before = route.moment.peek();
    this.ends.push(
      effect(() => {
        const now = route.moment.value;
        if (now !== before) this.direction = now > before ? 1 : -1;
        before = now;
        if (now !== route.moments_s.peek().length - 1) route.follow.value = false;
        this.fetchAhead();
      }),
      effect(() => this.play()),
    );
    void this.load();
  }

  private async load(): Promise<void> {
    try {
      const review = await api.review(this.id);
      this.review.value = review;
      void this.loadNames(review);
      if (review.live && review.state !== "finished") {
        this.live.value = (await api.lives().catch(() => [])).find((each) => each.review_id === this.id) ?? null;
      }
      await this.loadResult();
    } catch (cause) {
      if (!this.gone) this.problem.value = messageOf(cause);
    }
  }

  private async loadNames(review: Review): Promise<void> {
    const [test, simulation] = await Promise.allSettled([api.test(review.test_id), api.simulation(review.simulation_id)]);
    if (test.status === "fulfilled") this.test.value = test.value;
    if (simulation.status === "fulfilled") this.simulation.value = simulation.value;
  }

  private reviewChanged(now: Review & { removed?: true }): void {
    if (now.removed) return batch(() => { this.problem.value = "this review was deleted"; this.result.value = null; });
    const before = this.review.peek();
    this.review.value = { ...before, ...now };
    if (now.state === "finished" && before?.state !== "finished") {
      this.live.value = null;
      route.follow.value = false;
      // Flags of a live test are numbered anew when the whole film has been reviewed.
      if (before?.live) route.flag.value = null;
      this.forget();
      this.forgetMoments();
      void this.loadResult();
    }
  }

  /** A live film has grown: its new moments come, at most once in a while. */
  private liveGoesOn(live: Live): void {
    this.live.value = { ...this.live.peek(), ...live };
    if (this.live_timer || this.review.peek()?.state === "finished") return;
    this.live_timer = window.setTimeout(() => {
      this.live_timer = 0;
      if (!this.gone) void this.loadResult().catch(() => {});
    }, LIVE_PAUSE_MS);
  }

  /** What was fetched of a review that was still under way may have changed since. */
  private forget(): void {
    this.rims.clear();
    this.numbers.clear();
    this.rims_key = "";
  }

  /** The moments of a live film are numbered anew when it was reviewed as a whole: those left out are among them. */
  private forgetMoments(): void {
    this.pictures.clear();
    this.model.peek()?.dispose();
    this.model.value = null;
  }

  private async loadResult(): Promise<void> {
    // Only a finished review has a result, and a live one that has begun.
    const review = this.review.peek();
    if (review && review.state !== "finished" && !this.live.peek()?.reviewed) return;
    let result: Result;
    try {
      result = await api.result(this.id);
    } catch (cause) {
      const early = cause instanceof api.Refused && [404, 409, 425].includes(cause.status) && this.review.peek()?.state !== "finished";
      if (!early) throw cause;
      this.pending.value = messageOf(cause);
      return;
    }
    if (this.gone) return;
    const count = route.moments_s.peek().length;
    // Who opens a film that is being taken wants to see it go on, unless the link says when to look.
    if (count === 0 && this.live_now.peek() && !route.asksForTime()) route.follow.value = true;
    // Flags of moments that were there before may have changed with what came since.
    if (result.times_s.length !== count) this.forget();
    batch(() => {
      this.pending.value = null;
      this.result.value = result;
      this.flags.value = [...result.flags].sort((a, b) => a.number - b.number);
      this.withdrawn.value = result.withdrawn_flags;
      const peaks = [...result.parts.map((each) => each.peak_mm ?? 0), ...result.flags.map((each) => each.peak_mm)];
      overlay.largest.value = { ...overlay.largest.peek(), deviation: Math.max(0.1, ...peaks) };
      if (!result.cameras.some((each) => each.name === route.camera.peek())) route.camera.value = result.cameras[0]?.name ?? null;
      route.setMoments(result.times_s, this.firstMoment(result));
      if (route.follow.peek()) route.moment.value = result.times_s.length - 1;
    });
    if (!this.model.peek()) void this.loadMesh();
  }

  /** The desk opens where the first mismatch that stands is largest; blind it opens at the start. */
  private firstMoment(result: Result): number {
    const first = result.flags.find(stands) ?? result.flags[0];
    return this.blind.peek() || !first ? 0 : route.nearest(result.times_s, first.peak_s);
  }

  async loadFlags(): Promise<void> {
    const both = await Promise.all([api.flags({ review_id: this.id }), api.withdrawnFlags(this.id)]).catch(() => null);
    if (!both || this.gone) return;
    this.flags.value = both[0].sort((a, b) => a.number - b.number);
    this.withdrawn.value = both[1];
  }

  private async loadMesh(): Promise<void> {
    try {
      const mesh = readMesh(await (await api.ask(`/reviews/${this.id}/mesh`)).arrayBuffer());
      if (this.gone) return;
      this.model.value = new MeshModel(mesh);
      this.node_part = nodeParts(mesh);
      this.fetchAhead();
    } catch (cause) {
      this.mesh_problem.value = messageOf(cause);
    }
  }

  /** Layers that the comparison needs. */
  private layers(): Layer[] {
    switch (overlay.comparison.value) {
      case "film": return ["film"];
      case "predicted": return ["predicted"];
      default: return ["film", "predicted"];
    }
  }

  private path(camera: string, moment: number, layer: Layer, width: number): string {
    const wanted = Math.ceil(this.area_px.value / 160) * 160;
    return api.pictureFile(this.id, camera, moment, layer, wanted > 0 && wanted < 0.75 * width ? wanted : undefined);
  }

  /** What the cameras need of a moment. */
  private pathsAt(moment: number, cameras: readonly CanvasCamera[], layers: readonly Layer[]): string[] {
    return cameras.flatMap((camera) => layers
      .filter((layer) => layer === "predicted" || camera.frames[moment] !== null)
      .map((layer) => this.path(camera.name, moment, layer, camera.width)));
  }

  /** What a predicted picture is made from where the mesh is at other parameters. */
  private firstPaths(): string[] {
    return this.camerasShown().map((camera) => this.path(camera.name, camera.frames.findIndex((frame) => frame !== null), "film", camera.width));
  }

  private shownPaths(): string[] {
    return [...this.pathsAt(route.moment.peek(), this.camerasShown(), this.layers()), ...(this.trial.peek() ? this.firstPaths() : [])];
  }

  private camerasShown() {
    const { cameras } = this;
    return route.alone.value ? cameras.value.filter((each) => each.name === route.camera.value) : cameras.value;
  }

  picture(camera: string, moment: number, layer: Layer): ImageBitmap | null {
    const found = this.cameras.value.find((each) => each.name === camera);
    if (!found || (layer === "film" && found.frames[moment] === null)) return null;
    return this.pictures.get(this.path(camera, moment, layer, found.width));
  }

  /** True where this camera has a film picture at this moment but it could not be fetched. */
  pictureFailed(camera: string, moment: number): boolean {
    const found = this.cameras.value.find((each) => each.name === camera);
    return !!found && this.pictures.failed(this.path(camera, moment, "film", found.width));
  }

  private fetchAhead(): void {
    const count = route.moments_s.value.length;
    const now = route.moment.value;
    const cameras = this.camerasShown();
    const layers = this.layers();
    if (count === 0) return;
    const order = nearestFirst(now, count, this.direction);
    const bytes = cameras.reduce((sum, each) => sum + 4 * each.width * each.height, 0) * layers.length;
    const room = Math.max(8, Math.floor(AHEAD_BYTES / Math.max(1, bytes)));
    const paths = this.trial.value && layers.includes("predicted") ? this.firstPaths() : [];
    for (const moment of order.slice(0, room)) paths.push(...this.pathsAt(moment, cameras, layers));
    this.pictures.want(paths);
    this.fetchStates(order, count);
  }

  private fetchStates(order: number[], count: number): void {
    const model = this.model.value;
    if (!model) return;
    // The last moment tells how far the colour bars must reach.
    const wanted = [order[0]!, count - 1, ...order.slice(0, Math.min(model.room - 2, 256))];
    for (const moment of wanted) {
      if (this.states_under_way.size >= STATES_AT_ONCE) return;
      if ((model.has(moment) && this.numbers.has(moment)) || this.states_under_way.has(moment)) continue;
      this.states_under_way.add(moment);
      void this.loadState(model, moment, count).finally(() => {
        this.states_under_way.delete(moment);
        if (!this.gone && !this.mesh_problem.peek()) this.fetchAhead();
      });
    }
  }

  private async loadState(model: MeshModel, moment: number, count: number): Promise<void> {
    try {
      const [state, numbers] = await Promise.all([
        api.ask(`/reviews/${this.id}/states/${moment}`).then((reply) => reply.arrayBuffer()),
        api.ask(`/reviews/${this.id}/flag_elements/${moment}`).then((reply) => reply.arrayBuffer()),
      ]);
      if (this.gone) return;
      overlay.tells_seen.value = tellsSeen(state, model.mesh);
      const read = readState(state, model.mesh);
      model.put(moment, read);
      this.numbers.set(moment, new Uint16Array(numbers));
      if (moment === count - 1) {
        const sigma = Float32Array.from(read.sigma_mm.filter((each) => each >= 0)).sort();
        overlay.largest.value = {
          ...overlay.largest.peek(),
          sigma: sigma[Math.floor(0.98 * (sigma.length - 1))] ?? 1,
          plastic: Math.max(1e-3, read.plastic_strain.reduce((most, each) => Math.max(most, each), 0)),
        };
      }
      if (moment === route.moment.peek()) this.arrivals.value += 1;
    } catch (cause) {
      this.mesh_problem.value = messageOf(cause);
    }
  }

  /** Makes the mesh's moment the one drawn and its rims those of the flags then. False while it is not there. */
  showMesh(): boolean {
    const model = this.model.peek();
    const moment = route.moment.peek();
    const slot = this.trialShown() ? TRIAL : moment;
    if (!model?.show(slot)) return false;
    const key = `${moment} ${slot === TRIAL ? this.trial.peek()?.serial : ""} ${this.numbers.has(moment)} ${route.flag.peek()} ${this.shown_flags.peek().map((each) => each.number + each.verdict.state).join()}`;
    if (this.rims_key === key) return true;
    this.rims_key = key;
    this.rim_lines.set(this.rimsNow(moment, model), model.state(slot)!);
    return true;
  }

  /** True while the mesh that is drawn is that at other parameters. */
  trialShown(): boolean {
    return this.trial.peek()?.moment === route.moment.peek() && !!this.model.peek()?.has(TRIAL);
  }

  /** The film's first picture of a camera: what the surface looked like before it moved. */
  firstPicture(camera: string): ImageBitmap | null {
    const moment = this.cameras.peek().find((each) => each.name === camera)?.frames.findIndex((frame) => frame !== null) ?? -1;
    return moment < 0 ? null : this.picture(camera, moment, "film");
  }

  /** The outlines to draw; dismissed flags have none unless selected. The selected one comes last and lies on top. */
  private rimsNow(moment: number, model: MeshModel): Rim[] {
    const rims = this.rimsAt(moment, model);
    return this.shown_flags.peek()
      .flatMap((flag): Rim[] => {
        const nodes = rims.get(flag.number);
        const selected = flag.number === route.flag.peek();
        if (!nodes || (flag.verdict.state === "dismissed" && !selected)) return [];
        return [{ nodes, style: selected ? "selected" : flag.verdict_machine === "cannot_tell" ? "uncertain" : "plain" }];
      })
      .sort((a, b) => Number(a.style === "selected") - Number(b.style === "selected"));
  }

  private rimsAt(moment: number, model: MeshModel): Map<number, Uint32Array<ArrayBuffer>> {
    let rims = this.rims.get(moment);
    if (!rims) {
      const numbers = this.numbers.get(moment);
      rims = numbers ? rimsByNumber(model.mesh, numbers) : new Map<number, Uint32Array<ArrayBuffer>>();
      if (this.rims.size >= MOST_RIMS) this.rims.delete(this.rims.keys().next().value!);
      this.rims.set(moment, rims);
    }
    return rims;
  }

  /**
   * The middle of a flag's rim at the moment shown, mm, where the film has it (1) or the simulation (0); null where the
   * flag is not there.
   */
  middleOf(flag: number, as_filmed: number): [number, number, number] | null {
    const model = this.model.peek();
    const state = model?.state(this.trialShown() ? TRIAL : route.moment.peek());
    const rim = model ? this.rims.get(route.moment.peek())?.get(flag) : undefined;
    if (!state || !rim?.length) return null;
    const middle: [number, number, number] = [0, 0, 0];
    for (const node of rim) for (let axis = 0; axis < 3; axis++) {
      middle[axis]! += (state.simulated_mm[3 * node + axis]! + as_filmed * state.deviation_mm[3 * node + axis]!) / rim.length;
    }
    return middle;
  }

  /** The number of a flag that one of the elements at a node carries now, 0 for none. */
  flagAtNode(node: number): number {
    const model = this.model.peek();
    const numbers = this.numbers.get(route.moment.peek());
    if (!model || !numbers) return 0;
    const { triangle_nodes, triangle_element } = model.mesh;
    for (let at = 0; at < triangle_nodes.length; at++) {
      if (triangle_nodes[at] !== node) continue;
      const number = numbers[triangle_element[Math.floor(at / 3)]!]!;
      if (number) return number;
    }
    return 0;
  }

  /** True when everything that the cameras show at a moment is there. */
  private ready(moment: number): boolean {
    return this.pathsAt(moment, this.camerasShown(), this.layers()).every((path) => this.pictures.has(path) || this.pictures.failed(path));
  }

  /** Steps through the moments while `playing`; each moment is shown, and it waits for pictures rather than skip any. */
  private play(): void {
    if (!this.playing.value) return;
    const step_ms = 1000 / pictures_per_s.value;
    let due = performance.now() + step_ms;
    let waiting_since: number | null = null;
    const tick = (now: number) => {
      if (!this.playing.peek() || this.gone) return;
      frame = requestAnimationFrame(tick);
      if (now < due - 2) return;
      const count = route.moments_s.peek().length;
      const next = route.moment.peek() + 1;
      if (next >= count && !repeat.peek()) {
        this.playing.value = false;
        return;
      }
      const to = next % Math.max(1, count);
      if (!this.ready(to)) {
        waiting_since ??= now;
        this.waiting.value = now - waiting_since > 250;
        if (now - waiting_since < LONGEST_WAIT_MS) return;
      }
      waiting_since = null;
      this.waiting.value = false;
      due = Math.max(due + step_ms, now - step_ms);
      route.moment.value = to;
    };
    let frame = requestAnimationFrame(tick);
    this.ends.push(() => cancelAnimationFrame(frame));
  }

  /** Goes along with a live film, or stays where it stands. */
  turnFollow(): void {
    if (!this.live_now.peek()) return;
    const on = !route.follow.peek();
    if (on) this.step(Infinity);
    route.follow.value = on;
  }

  step(by: number): void {
    const count = route.moments_s.peek().length;
    if (count === 0) return;
    this.playing.value = false;
    route.moment.value = Math.min(Math.max(0, route.moment.peek() + by), count - 1);
  }

  /** Selects a flag with its part, a camera that sees it, and (unless `stay`) the moment of its peak. */
  select(flag: Flag | null, stay = false): void {
    batch(() => {
      route.flag.value = flag?.number ?? null;
      if (!flag) return;
      route.part.value = flag.part_id;
      if (flag.cameras.length && !flag.cameras.includes(route.camera.peek() ?? "")) route.camera.value = flag.cameras[0] ?? null;
      if (!stay && route.moments_s.peek().length) {
        this.playing.value = false;
        route.moment.value = route.nearest(route.moments_s.peek(), flag.peak_s);
      }
    });
  }

  async setVerdict(flag: Flag, said: VerdictSaid): Promise<void> {
    const whole: VerdictSaid = { ...said, ...(author.peek() ? { author: author.peek() } : {}), blind: this.looked.peek() !== null };
    const now = await api.setVerdict(flag, whole);
    this.flags.value = this.flags.peek().map((each) => (each.id === flag.id ? { ...each, ...now } : each));
  }

  /** Ends the blind look: what was seen is kept, with the service where it can. */
  async saySeen(seen: FirstLook["seen"]): Promise<void> {
    const look: FirstLook = { author: author.peek() || null, seen };
    await api.addFirstLook(this.id, look).catch(() => null);
    looks.value = { ...looks.peek(), [this.id]: look };
  }

  lookAgain(): void {
    const { [this.id]: _gone, ...rest } = looks.peek();
    looks.value = rest;
    route.flag.value = null;
  }

  dispose(): void {
    this.gone = true;
    for (const end of this.ends) end();
    this.pictures.close();
    this.model.peek()?.dispose();
    this.rim_lines.dispose();
  }
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** The desk that stands now; views of the desk read it. */
export const desk = signal<Desk | null>(null);
