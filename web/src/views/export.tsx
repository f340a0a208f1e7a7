/** Everything that leaves the house: report, print, tables and files of one review. */
import { useEffect, useState } from "preact/hooks";
import * as api from "../lib/api";
import type { Review } from "../lib/contract";
import { when } from "../lib/format";
import { deskLink, go } from "../state/route";
import { dark } from "../state/settings";
import { useAsked } from "./asked";
import { Icon } from "./icons";
import { Notice } from "./marks";

async function read() {
  const [reviews, tests] = await Promise.all([api.reviews({ state: "finished" }), api.tests()]);
  return { reviews: reviews.filter((each) => each.state === "finished"), tests: new Map(tests.map((each) => [each.id, each.name])) };
}

export function ExportView({ review }: { review: string | null }) {
  const { value, problem } = useAsked("exports", read, ({ name }) => name === "review");
  const chosen = value?.reviews.find((each) => each.id === review) ?? (review ? null : value?.reviews[0]) ?? null;
  return (
    <div class="sheet">
      <div class="head"><h1>Export</h1>
        {value ? <select aria-label="Review" value={chosen?.id ?? ""} onChange={(event) => go(`/export/${event.currentTarget.value}`)}>
          {chosen ? null : <option value="">choose a review</option>}
          {value.reviews.map((each) => <option key={each.id} value={each.id}>{value.tests.get(each.test_id) ?? each.test_id}, {when(each.finished_at)}</option>)}
        </select> : null}
        {chosen ? <a href={deskLink(chosen.id)}>To the desk</a> : null}
      </div>
      {problem ? <Notice text={problem} /> : null}
      {chosen ? <Files review={chosen} name={value?.tests.get(chosen.test_id) ?? "review"} /> : value ? <p class="empty">No finished review.</p> : null}
    </div>
  );
}

const FILES = [
  { file: "flags.csv", title: "Flags as CSV", says: "One row a flag, for a spreadsheet." },
  { file: "review.vtkhdf", title: "VTKHDF", says: "The mesh at the film's times with deviation, sigma and flags. Opens in ParaView." },
  { file: "review.json", title: "JSON", says: "Alignment, parts over time, flags, noise: for programs." },
] as const;

function Files({ review, name }: { review: Review; name: string }) {
  return (
    <>
      <div class="files">
        <div class="card">
          <h2>Report</h2>
          <p class="muted small">One page that needs nothing else: findings, plots, alignment. Print it to a PDF in the browser.</p>
          <div class="row">
            <a class="button main" href={api.reviewFile(review.id, "report.html")} target="_blank" rel="noopener"><Icon name="eye" />Open</a>
            <a class="button" href={api.reviewFile(review.id, "report.html")} download={`${name}.html`}><Icon name="download" />HTML</a>
            <button class="button" onClick={() => printReport(review.id)}><Icon name="print" />PDF …</button>
          </div>
        </div>
        {FILES.map(({ file, title, says }) => (
          <div class="card" key={file}>
            <h2>{title}</h2>
            <p class="muted small">{says}</p>
            <div class="row"><a class="button" href={api.reviewFile(review.id, file)} download={`${name}.${file.split(".")[1]}`}><Icon name="download" />{file}</a></div>
          </div>
        ))}
      </div>
      <Plots review={review} name={name} />
    </>
  );
}

/** The report in a frame of its own and the browser's print dialogue, where "save as PDF" is. */
function printReport(review: string): void {
  document.getElementById("print-frame")?.remove();
  const frame = document.createElement("iframe");
  frame.id = "print-frame";
  frame.title = "Report to print";
  frame.className = "hide";
  frame.src = api.reviewFile(review, "report.html");
  frame.addEventListener("load", () => {
    try {
      frame.contentWindow?.focus();
      frame.contentWindow?.print();
    } catch {
      // The service may forbid framing: then the report opens by itself and is printed from there.
      window.open(api.reviewFile(review, "report.html"), "_blank", "noopener");
    }
  });
  document.body.append(frame);
}

function Plots({ review, name }: { review: Review; name: string }) {
  const [plots, setPlots] = useState<{ name: string; title: string }[]>([]);
  useEffect(() => {
    let gone = false;
    api.plots(review.id).then((found) => { if (!gone) setPlots(found); }, () => {});
    return () => { gone = true; };
  }, [review.id]);
  const theme = dark.value ? "dark" : "light";
  return (
    <div class="plots">
      {plots.map((plot) => (
        <figure class="card" key={plot.name}>
          <img loading="lazy" alt={plot.title} src={api.plotFile(review.id, plot.name, "svg", theme, 900)} />
          <figcaption><span class="grow">{plot.title}</span>
            <a href={api.plotFile(review.id, plot.name, "svg", "light", 1200)} download={`${name}-${plot.name}.svg`}>SVG</a>
            <a href={api.plotFile(review.id, plot.name, "png", "light", 1600)} download={`${name}-${plot.name}.png`}>PNG</a></figcaption>
        </figure>
      ))}
    </div>
  );
}
