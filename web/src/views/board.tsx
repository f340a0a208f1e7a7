/** The campaign board: its tests with their first flag, what is live, and the parts that fail again and again. */
import { useEffect, useMemo } from "preact/hooks";
import * as api from "../lib/api";
import { stands, type CampaignBoard, type Flag, type Live, type Review, type Test } from "../lib/contract";
import { count, kindName, mm, ms, when, withSigma } from "../lib/format";
import { goesWith } from "../lib/removal";
import { onThePage } from "../lib/words";
import type { Heard } from "../state/events";
import { deskLink, go } from "../state/route";
import { kept } from "../state/settings";
import { useAsked } from "./asked";
import { LiveCard, mergedLives } from "./live";
import { FlagMark, Notice, ReviewProgress, ReviewTag, TestTag } from "./marks";
import { CampaignForm, NewCampaign, RenameCampaign } from "./naming";
import { RemoveButton } from "./remove";

interface Board {
  campaigns: { id: string; name: string; tests: number; open_flags: number }[];
  board: CampaignBoard | null;
  reviews: Review[];
  flags: Flag[];
  lives: Live[];
}

async function readBoard(wanted: string | null): Promise<Board> {
  const campaigns = (await api.campaigns()).sort((a, b) => b.created_at.localeCompare(a.created_at));
  const known = (id: string | null) => campaigns.find((each) => each.id === id)?.id;
  // One that was deleted need not be asked for.
  if (wanted && !known(wanted)) throw new Error("This campaign is not here: it was deleted, or the address is wrong.");
  const id = wanted ?? known(last_campaign.peek()) ?? campaigns[0]?.id;
  if (!id) return { campaigns, board: null, reviews: [], flags: [], lives: [] };
  const [board, reviews, flags, lives] = await Promise.all([
    api.campaign(id), api.reviews({ campaign_id: id }), api.flags({ campaign_id: id }), api.lives().catch(() => []),
  ]);
  return { campaigns, board, reviews, flags, lives };
}

/** The board opens with the campaign that was looked at last. */
const last_campaign = kept<string | null>("campaign", null);

const CONCERNS = new Set<Heard["name"]>(["review", "flag", "verdict", "campaign", "test"]);

export function BoardView({ campaign }: { campaign: string | null }) {
  const { value, problem, again } = useAsked(`board ${campaign}`, () => readBoard(campaign), ({ name }) => CONCERNS.has(name));
  useEffect(() => { if (campaign) last_campaign.value = campaign; }, [campaign]);
  if (!value) return <div class="sheet">{problem ? <Notice text={problem} /> : <p class="empty">Reading the campaigns …</p>}</div>;
  if (!value.board) return <div class="sheet"><NoCampaign made={again} problem={problem} /></div>;
  return <div class="sheet">{problem ? <Notice text={problem} /> : null}<Whole {...value} board={value.board} again={again} /></div>;
}

function NoCampaign({ made, problem }: { made: () => void; problem: string | null }) {
  return (
    <div class="card">
      <h2>No campaign yet</h2>
      <div class="body">
        {problem ? <Notice text={problem} /> : null}
        <p class="muted">A campaign holds the tests of one design. Make one, then upload a simulation and a test.</p>
        <CampaignForm made={made} />
      </div>
    </div>
  );
}

interface RowOfTest {
  test: Test;
  /** What the row shows: the newest review that is finished or live, else the newest one. */
  review: Review | null;
  /** A newer one that waits, runs, failed or was cancelled. */
  newer: Review | null;
  /** Those that stand, the first one first: what was dismissed is no finding. */
  flags: Flag[];
  dismissed: Flag[];
  /** What goes when the test is deleted, in words. */
  goes: string;
}

function rowsOf(board: CampaignBoard, reviews: Review[], flags: Flag[]): RowOfTest[] {
  const rank = (row: RowOfTest) => (row.test.state === "live" ? 0 : (row.newer ?? row.review)?.state === "running" ? 1 : row.flags.length ? 2 : 3);
  return board.tests
    .map((test) => {
      const latest = reviews.find((each) => each.id === test.latest_review_id) ?? reviews.find((each) => each.test_id === test.id) ?? null;
      const review = reviews.find((each) => each.id === test.shown_review_id) ?? latest;
      const newer = latest?.id === review?.id ? null : latest;
      const own = review ? flags.filter((each) => each.review_id === review.id).sort((a, b) => a.onset_s - b.onset_s || b.peak_mm - a.peak_mm) : [];
      const all = new Set(reviews.filter((each) => each.test_id === test.id).map((each) => each.id));
      const goes = goesWith({ reviews: all.size, flags: flags.filter((each) => all.has(each.review_id)) });
      return { test, review, newer, flags: own.filter(stands), dismissed: own.filter((each) => !stands(each)), goes };
    })
    .sort((a, b) => rank(a) - rank(b) || worst(b.flags) - worst(a.flags) || a.test.name.localeCompare(b.test.name));
}

const worst = (flags: Flag[]) => flags.reduce((most, each) => Math.max(most, each.peak_mm), 0);

function Whole({ campaigns, board, reviews, flags, lives, again }: Board & { board: CampaignBoard; again: () => void }) {
  const rows = useMemo(() => rowsOf(board, reviews, flags), [board, reviews, flags]);
  const latest = new Set(rows.map((row) => row.review?.id));
  const current = flags.filter((each) => latest.has(each.review_id) && stands(each));
  const open = current.filter((each) => each.verdict.state === "open").length;
  return (
    <>
      <div class="head">
        <h1 class={campaigns.length > 1 ? "hide" : "cut"}>{board.name}</h1>
        {campaigns.length > 1 ? (
          <select class="title cut" aria-label="Campaign" title={board.name} value={board.id} onChange={(event) => go(`/campaigns/${event.currentTarget.value}`)}>
            {campaigns.map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}
          </select>
        ) : null}
        <div class="row tight">
          <RenameCampaign campaign={board} again={again} />
          <RemoveButton what="campaign" name={board.name} goes={`${goesWith({ tests: board.tests.length, reviews: reviews.length, flags })} Simulations stay.`}
            remove={() => api.removeCampaign(board.id)} done={() => { again(); go("/"); }} />
        </div>
        <NewCampaign again={again} />
        <dl class="figures">
          <div><dt>Tests</dt><dd>{board.tests.length}</dd></div>
          <div><dt>With flags</dt><dd>{rows.filter((row) => row.flags.length).length}</dd></div>
          <div><dt>Flags to judge</dt><dd class={open ? "alarm" : ""}>{open}</dd></div>
          <div><dt>Largest deviation</dt><dd>{mm(worst(current) || null)}</dd></div>
        </dl>
      </div>
      <div class="board">
        <section class="card" aria-label="Tests">
          <div class="card-head"><h2>Tests</h2><span class="muted small">live ones first, then the largest deviation</span>
            <span class="grow" /><a class="button" href="/upload">Upload tests …</a></div>
          {rows.length ? <TestTable rows={rows} again={again} /> : <p class="empty">No test yet. <a href="/upload">Upload one</a></p>}
        </section>
        <aside>
          {mergedLives(lives).filter((each) => !each.campaign_id || each.campaign_id === board.id).slice(0, 4).map((live) => <LiveCard key={live.id} live={live} />)}
          <PartsCard rows={rows} />
        </aside>
      </div>
    </>
  );
}

function TestTable({ rows, again }: { rows: RowOfTest[]; again: () => void }) {
  return (
    <table>
      <thead><tr>
        <th><span class="hide">First picture</span></th><th>Test</th><th>State</th><th>First flag</th><th class="number">Onset</th><th class="number">Peak</th>
        <th class="number">Flags</th><th class="number">Judged</th><th><span class="hide">Delete</span></th>
      </tr></thead>
      <tbody>{rows.map((row) => <TestRow key={row.test.id} {...row} again={again} />)}</tbody>
    </table>
  );
}

function TestRow({ test, review, newer, flags, dismissed, goes, again }: RowOfTest & { again: () => void }) {
  const first = flags[0];
  const latest = newer ?? review;
  const all = flags.length + dismissed.length;
  const open_flags = flags.filter((each) => each.verdict.state === "open").length;
  const open = review && (review.state === "finished" || review.live);
  const moment = first && test.cameras[0] ? Math.max(0, test.cameras[0].times_s.findIndex((each) => each >= first.peak_s - 1e-9)) : 0;
  return (
    <tr>
      <td>{review?.state === "finished" && test.cameras[0]
        ? <a href={deskLink(review.id)} tabIndex={-1} aria-hidden="true"><img class="thumb" alt="" loading="lazy" src={`${api.BASE}${api.pictureFile(review.id, test.cameras[0].name, moment, "film", 160)}`} /></a>
        : <span class="thumb" />}</td>
      <td>
        {open ? <a href={deskLink(review.id)}><b>{test.name}</b></a> : <b>{test.name}</b>}
        <div class="small muted">{count(test.cameras.length, "camera")}, {count(test.cameras[0]?.frames ?? 0, "frame")}</div>
      </td>
      <td>{review ? <ReviewTag review={review} /> : <TestTag test={test} />}
        {review?.state === "finished" ? <div class="small muted">{when(review.finished_at)}</div> : null}
        {newer ? <div class="small">newer: <ReviewTag review={newer} /></div> : null}
        {latest && (latest.state === "running" || latest.state === "queued") ? <ReviewProgress review={latest} /> : null}
        {latest?.refusal ? <div class="small alarm">{onThePage(latest.refusal)}</div> : null}</td>
      <td>{first && review
        ? <a class="flag-link first-flag" href={deskLink(review.id, { flag: first.number, part: first.part_id, time_s: first.peak_s })}><span class="flag-number"><FlagMark flag={first} /></span><span>{first.part_name}<br /><span class="small muted">{kindName(first.kind)}</span></span></a>
        : <span class="muted">{dismissed.length ? "none that stands" : review?.state !== "finished" ? "–" : review.is_compared === false ? "none: the film cannot tell" : "none: within tolerance"}</span>}</td>
      <td class="number">{first ? ms(first.onset_s) : "–"}</td>
      <td class="number">{first ? withSigma(first.peak_mm, first.peak_sigma_mm) : "–"}</td>
      <td class="number">{flags.length || (review?.state === "finished" ? 0 : "–")}
        {dismissed.length ? <div class="small muted">{dismissed.length} dismissed</div> : null}</td>
      <td class="number">{all ? `${all - open_flags} / ${all}` : "–"}</td>
      <td class="number"><RemoveButton what="test" name={test.name} goes={goes} remove={() => api.removeTest(test.id)} done={again} /></td>
    </tr>
  );
}

/** Which parts keep failing: one square a reviewed test, filled where the part was flagged. */
function PartsCard({ rows }: { rows: RowOfTest[] }) {
  const reviewed = rows.filter((row) => row.review?.state === "finished" || row.flags.length || row.dismissed.length);
  const parts = new Map<string, { hits: Set<string>; worst: Flag }>();
  for (const row of reviewed) for (const flag of row.flags) {
    const found = parts.get(flag.part_name) ?? { hits: new Set(), worst: flag };
    found.hits.add(row.test.id);
    if (flag.peak_mm > found.worst.peak_mm) found.worst = flag;
    parts.set(flag.part_name, found);
  }
  const sorted = [...parts].sort((a, b) => b[1].hits.size - a[1].hits.size || b[1].worst.peak_mm - a[1].worst.peak_mm);
  const shown = [...reviewed].sort((a, b) => a.test.name.localeCompare(b.test.name));
  return (
    <section class="card" aria-label="Parts that keep failing">
      <div class="card-head"><h2>Parts that keep failing</h2></div>
      {sorted.length === 0 ? <p class="empty">No part has a flag that stands.</p> : (
        <table>
          <thead><tr><th>Part</th><th>Tests flagged</th><th class="number">Worst</th></tr></thead>
          <tbody>{sorted.slice(0, 12).map(([name, part]) => (
            <tr key={name}>
              <td><a href={deskLink(part.worst.review_id, { flag: part.worst.number, part: part.worst.part_id, time_s: part.worst.peak_s })}>{name}</a></td>
              <td><div class="row"><span class="part-dots" aria-hidden="true">{shown.slice(0, 14).map((row) => <i key={row.test.id} class={part.hits.has(row.test.id) ? "hit" : ""} title={row.test.name} />)}</span>
                <span>{part.hits.size} of {reviewed.length}</span></div></td>
              <td class="number">{mm(part.worst.peak_mm)}</td>
            </tr>
          ))}</tbody>
        </table>
      )}
      <p class="small muted" style={{ padding: "8px 10px" }}>Dismissed flags do not count.{sorted.length ? " One square a reviewed test." : ""}</p>
    </section>
  );
}
