/** Talking to the service: one function a question, errors as `Refused`, pages walked to the end. */
import type {
  Campaign, CampaignBoard, FirstLook, Flag, Id, Live, Page, Plot, Problem, Result, Review, ReviewsAsked, ReviewsBegun, Simulation,
  Test, Upload, VerdictRecord, VerdictSaid,
} from "./contract";

export const BASE = "/api/v1";

/** The service said no; `message` is what it said. */
export class Refused extends Error {
  constructor(readonly status: number, readonly problem: Problem) {
    super(problem.detail ?? problem.title ?? `the service answered ${status}`);
    this.name = "Refused";
  }
}

async function refusal(reply: Response): Promise<Refused> {
  let problem: Problem = { title: `${reply.status} ${reply.statusText}` };
  try {
    if ((reply.headers.get("content-type") ?? "").includes("json")) problem = (await reply.json()) as Problem;
  } catch {
    // A body that is no JSON says nothing more than the status.
  }
  return new Refused(reply.status, problem);
}

/** Called when the service, or what stands before it, cannot be reached. */
export const unreachable = { tell: () => {} };

export async function ask(path: string, init?: RequestInit): Promise<Response> {
  let reply: Response;
  try {
    reply = await fetch(BASE + path, init);
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    unreachable.tell();
    throw new Refused(0, { detail: "the service cannot be reached: it may have been stopped, or the line is down; this page tries again by itself" });
  }
  // 503 is the service's own "busy"; these come from a proxy before it.
  if (reply.status === 502 || reply.status === 504) unreachable.tell();
  if (!reply.ok) throw await refusal(reply);
  return reply;
}

async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await ask(path, signal ? { signal } : {})).json()) as T;
}

function send(method: string, path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return ask(path, { method, body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } });
}

function query(wanted: Record<string, string | undefined>): string {
  const pairs = Object.entries(wanted).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return pairs.length ? `?${new URLSearchParams(pairs).toString()}` : "";
}

async function all<T>(path: string, wanted: Record<string, string | undefined> = {}): Promise<T[]> {
  const found: T[] = [];
  let cursor: string | undefined;
  do {
    const next: Page<T> = await get(path + query({ ...wanted, limit: "200", cursor }));
    found.push(...next.items);
    cursor = next.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}

const part = encodeURIComponent;

export const campaigns = () => all<Campaign>("/campaigns");
export const campaign = (id: Id) => get<CampaignBoard>(`/campaigns/${part(id)}`);
export const addCampaign = async (name: string) => (await (await send("POST", "/campaigns", { name })).json()) as Campaign;
export const renameCampaign = async (id: Id, name: string) => (await (await send("PATCH", `/campaigns/${part(id)}`, { name })).json()) as Campaign;
const remove = (path: string) => ask(path, { method: "DELETE" });
export const removeCampaign = (id: Id) => remove(`/campaigns/${part(id)}`);
export const removeTest = (id: Id) => remove(`/tests/${part(id)}`);
export const removeSimulation = (id: Id) => remove(`/simulations/${part(id)}`);
export const simulations = () => all<Simulation>("/simulations");
export const simulation = (id: Id) => get<Simulation>(`/simulations/${part(id)}`);
export const tests = (campaign_id?: Id) => all<Test>("/tests", { campaign_id });
export const test = (id: Id) => get<Test>(`/tests/${part(id)}`);
export const upload = (id: Id) => get<Upload>(`/uploads/${part(id)}`);
export const reviews = (wanted: { campaign_id?: Id; test_id?: Id; state?: string; batch_id?: Id } = {}) =>
  all<Review>("/reviews", wanted);
export const review = (id: Id) => get<Review>(`/reviews/${part(id)}`);
export const cancelReview = (id: Id) => remove(`/reviews/${part(id)}`);
/** Deletes a review that has ended; one that has not is refused, and not cancelled. */
export const removeReview = (id: Id) => remove(`/reviews/${part(id)}?ended=true`);
export const result = (id: Id) => get<Result>(`/reviews/${part(id)}/result`);
export const flags = (wanted: { campaign_id?: Id; review_id?: Id }) => all<Flag>("/flags", wanted);
/** Flags that were judged and are not found any more. */
export const withdrawnFlags = (review_id: Id) => all<Flag>("/flags", { review_id, withdrawn: "true" });
/** All that was said about a flag, oldest first. */
export const history = (id: Id) => all<VerdictRecord>(`/flags/${part(id)}/verdicts`);
export const endLive = (id: Id) => ask(`/live/${part(id)}/end`, { method: "POST" });
export const lives = async () => (await get<{ items: Live[] }>("/live")).items;
export const plots = (id: Id) => get<Plot[]>(`/reviews/${part(id)}/plots`);

/** `key` makes the question safe to repeat: the same key gives the same batch. */
export async function startReviews(asked: ReviewsAsked, key: string): Promise<ReviewsBegun> {
  return (await (await send("POST", "/reviews", asked, { "idempotency-key": key })).json()) as ReviewsBegun;
}

/** Sets a verdict on the flag as it was shown; when somebody else was faster the service says 412 and so does `Refused`. */
export async function setVerdict(flag: Flag, said: VerdictSaid): Promise<Flag> {
  const seen = flag.version === undefined ? {} : { "if-match": `"${flag.version}"` };
  return (await (await send("PUT", `/flags/${part(flag.id)}/verdict`, said, seen)).json()) as Flag;
}

/** Keeps what somebody saw before the flags were shown. */
export const addFirstLook = (review: Id, look: FirstLook) =>
  send("POST", `/reviews/${part(review)}/first_looks`, { author: look.author ?? null, seen: look.seen });

export const reviewFile = (review: Id, name: string) => `${BASE}/reviews/${part(review)}/${name}`;
export const plotFile = (review: Id, name: string, kind: "svg" | "png", theme: string, width: number) =>
  `${BASE}/reviews/${part(review)}/plots/${part(name)}.${kind}?theme=${theme}&width=${width}`;
export const pictureFile = (review: Id, camera: string, moment: number, layer: "film" | "predicted", width?: number) =>
  `/reviews/${part(review)}/pictures/${part(camera)}/${moment}.jpg?layer=${layer}${width ? `&width=${width}` : ""}`;
