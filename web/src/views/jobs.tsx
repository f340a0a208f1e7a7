/** Reviews under way and done, what is filmed live, and the service's own words as they come. */
import { useState } from "preact/hooks";
import * as api from "../lib/api";
import type { Review } from "../lib/contract";
import { count, mm, ms, seconds, when } from "../lib/format";
import { onThePage } from "../lib/words";
import { messageOf } from "../state/desk";
import { recent, standing, type Heard } from "../state/events";
import { deskLink } from "../state/route";
import { useAsked } from "./asked";
import { LiveCard, mergedLives } from "./live";
import { isLive, Notice, ReviewProgress, ReviewTag } from "./marks";
import { RemoveButton } from "./remove";

async function readJobs() {
  const [reviews, tests, simulations, lives] = await Promise.all([api.reviews(), api.tests(), api.simulations(), api.lives().catch(() => [])]);
  return { reviews, tests: new Map(tests.map((each) => [each.id, each.name])), simulations: new Map(simulations.map((each) => [each.id, each.name])), lives };
}

const GOES = "With it go its flags, their verdicts and its suggestions. The test and the simulation stay.";

/** So many reviews are shown at first, and so many more each time that is asked for. */
const SHOWN = 100;

const ORDER: Record<Review["state"], number> = { running: 0, queued: 1, failed: 2, finished: 3, cancelled: 4 };

export function JobsView() {
  const { value, problem, again } = useAsked("jobs", readJobs, ({ name }) => name === "review" || name === "job");
  const reviews = [...(value?.reviews ?? [])].sort((a, b) => ORDER[a.state] - ORDER[b.state] || b.created_at.localeCompare(a.created_at));
  const [shown, setShown] = useState(SHOWN);
  const [refused, setRefused] = useState<string | null>(null);
  const cancel = async (review: Review) => {
    setRefused(null);
    await api.cancelReview(review.id).catch((cause: unknown) => setRefused(`${value?.tests.get(review.test_id) ?? "The review"} was not cancelled: ${messageOf(cause)}`));
    again();
  };
  return (
    <div class="sheet">
      <div class="head"><h1>Jobs and live</h1></div>
      {problem ? <Notice text={problem} /> : null}
      {refused ? <Notice text={refused} /> : null}
      <div class="board">
        <section class="card" aria-label="Reviews">
          <div class="card-head"><h2>Reviews</h2><span class="muted small">{reviews.filter((each) => each.state === "running").length} running, {reviews.filter((each) => each.state === "queued").length} queued</span></div>
          {reviews.length === 0 ? <p class="empty">{value ? "No review yet." : "Reading …"}</p> : (
            <table>
              <thead><tr><th>Test</th><th>Simulation</th><th>State</th><th class="number">Flags</th><th class="number">Asked for</th><th class="number">Took</th><th><span class="hide">Cancel or delete</span></th></tr></thead>
              <tbody>{reviews.slice(0, shown).map((review) => (
                <tr key={review.id}>
                  <td style={{ whiteSpace: "nowrap" }}><a href={deskLink(review.id)}><b>{value?.tests.get(review.test_id) ?? "test"}</b></a></td>
                  <td class="muted">{value?.simulations.get(review.simulation_id) ?? "simulation"}</td>
                  <td style={{ minWidth: "220px" }}><ReviewTag review={review} />
                    {review.state === "running" ? <ReviewProgress review={review} /> : null}
                    {review.refusal ? <div class="small alarm">{onThePage(review.refusal)}</div> : null}</td>
                  <td class="number">{review.state === "finished" || review.live ? review.flags : "–"}</td>
                  <td class="number muted">{when(review.created_at)}</td>
                  <td class="number muted">{review.finished_at ? seconds((Date.parse(review.finished_at) - Date.parse(review.created_at)) / 1000) : "–"}</td>
                  <td class="number">{(review.state === "running" || review.state === "queued") && !isLive(review) ? <button class="button" onClick={() => void cancel(review)}>Cancel</button> : null}
                    {review.finished_at && !review.live ? <RemoveButton what="review of test" name={value?.tests.get(review.test_id) ?? "unknown"} goes={GOES} remove={() => api.removeReview(review.id)} done={again} /> : null}</td>
                </tr>
              ))}</tbody>
            </table>
          )}
          {reviews.length > shown ? (
            <p class="row" style={{ padding: "10px 12px" }}><span class="muted grow">{reviews.length - shown} more</span>
              <button class="button" onClick={() => setShown(shown + SHOWN)}>Show more</button></p>
          ) : null}
        </section>
        <aside>
          {mergedLives(value?.lives ?? []).map((live) => <LiveCard key={live.id} live={live} />)}
          <EventList />
        </aside>
      </div>
    </div>
  );
}

/** One line of the stream in words. */
function words({ name, thing }: Heard): string {
  const text = (key: string) => (typeof thing[key] === "string" ? (thing[key] as string) : "");
  const number = (key: string) => (typeof thing[key] === "number" ? (thing[key] as number) : null);
  if (thing["removed"] === true) return "deleted";
  switch (name) {
    case "flag": return `flag ${number("number") ?? ""} on ${text("part_name")}: onset ${ms(number("onset_s"))}, ${mm(number("peak_mm"))}`;
    case "review": return `review ${text("state")}, ${number("pictures_done") ?? 0} of ${number("pictures_total") ?? 0} pictures`;
    case "live": return `${text("name")} ${number("received") ?? 0} pictures, ${count(number("flagged") ?? 0, "flag")}${text("rate_note") ? `; ${text("rate_note")}` : ""}`;
    case "upload": return `${text("filename")}: ${text("refusal") || text("state")}`;
    case "verdict": return `flag ${number("number") ?? ""}: ${(thing["verdict"] as { state?: string } | undefined)?.state ?? text("state")}`;
    default: return text("name") || text("state") || text("id");
  }
}

function EventList() {
  const clock = (at: number) => new Date(at).toTimeString().slice(0, 8);
  return (
    <section class="card" aria-label="Events">
      <div class="card-head"><h2>Events</h2><span class="muted small">{standing.value === "open" ? "as they come" : "the line is down; they will be caught up"}</span></div>
      {recent.value.length === 0 ? <p class="empty">Nothing has happened since this page was opened.</p> : (
        <ol class="stream">{recent.value.slice(0, 100).map((heard, at) => (
          <li key={`${heard.at} ${recent.value.length - at}`}><span class="muted">{clock(heard.at)}</span><b>{heard.name}</b><span class={heard.name === "flag" ? "alarm" : ""}>{words(heard)}</span></li>
        ))}</ol>
      )}
    </section>
  );
}
