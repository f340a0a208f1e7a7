/** Small signs that are the same everywhere: states by shape and word, never by colour alone. */
import type { Flag, Review, Test, Verdict } from "../lib/contract";
import { seconds } from "../lib/format";
import { onThePage } from "../lib/words";
import { Icon } from "./icons";

const VERDICTS = {
  open: { icon: "circle", text: "open", style: "" },
  confirmed: { icon: "check", text: "confirmed", style: "good" },
  dismissed: { icon: "cross", text: "dismissed", style: "" },
  relabelled: { icon: "tag", text: "relabelled", style: "live" },
} as const;

export function VerdictTag({ verdict }: { verdict: Verdict }) {
  const { icon, text, style } = VERDICTS[verdict.state] ?? VERDICTS.open;
  return <span class={`tag ${style}`}><Icon name={icon} />{verdict.state === "relabelled" && verdict.label ? verdict.label : text}</span>;
}

export function FlagMark({ flag }: { flag: Flag }) {
  const unsure = flag.verdict_machine === "cannot_tell";
  return <span class={`mark ${unsure ? "unsure" : ""}`} title={unsure ? "cannot tell" : "mismatch"}>{flag.number}</span>;
}

/** True while frames come; afterwards the whole film is reviewed like any other. */
export const isLive = (review: Review) => review.live && review.state === "running" && (review.stage === "live" || review.stage === "queued");

export function ReviewTag({ review }: { review: Review }) {
  switch (review.state) {
    case "finished": return <span class="tag good"><Icon name="check" />reviewed</span>;
    case "failed": return <span class="tag alarm"><Icon name="warn" />failed</span>;
    case "cancelled": return <span class="tag"><Icon name="cross" />cancelled</span>;
    case "queued": return <span class="tag"><Icon name="circle" />queued</span>;
    case "running": return <span class="tag live"><Icon name={isLive(review) ? "live" : "play"} />{isLive(review) ? "live" : "running"}</span>;
  }
}

export function TestTag({ test }: { test: Test }) {
  if (test.state === "live") return <span class="tag live"><Icon name="live" />live</span>;
  return <span class="tag"><Icon name="circle" />{test.state === "stored" ? "not reviewed" : test.state}</span>;
}

export function ReviewProgress({ review }: { review: Review }) {
  const share = review.pictures_total ? review.pictures_done / review.pictures_total : 0;
  if (isLive(review) && review.pictures_done === 0) return <div class="small muted">waits until something moves</div>;
  return (
    <div>
      <progress max={1} value={share} aria-label="pictures measured" />
      <div class="row small muted">
        <span class="grow cut">{review.stage ?? review.state}</span>
        <span>{review.pictures_done} / {review.pictures_total} pictures{review.seconds_left ? `, ${seconds(review.seconds_left)} left` : ""}</span>
      </div>
    </div>
  );
}

export function Notice({ text }: { text: string }) {
  return <div class="notice" role="alert"><Icon name="warn" /><span>{onThePage(text)}</span></div>;
}
