/** The receipts: what was suggested, decided, predicted and obtained, in order; never changed. */
import { mm, when } from "../../lib/format";
import type { Receipt } from "../../lib/suggestapi";
import type { Suggest } from "../../state/suggest";
import { deskLink } from "../../state/route";
import { Icon } from "../icons";
import { Bars } from "./suggestchanges";

export function Receipts({ suggest }: { suggest: Suggest }) {
  const receipts = suggest.receipts.value;
  if (!receipts.length) return null;
  return (
    <section aria-label="Receipts">
      <div class="section-head"><h3 class="grow">Receipts</h3><a class="small" href="/api/v1/receipts.jsonl" download="receipts.jsonl">whole ledger</a></div>
      <ol class="receipts">{receipts.map((each) => <Line key={each.number} receipt={each} />)}</ol>
    </section>
  );
}

function Line({ receipt }: { receipt: Receipt }) {
  return (
    <li data-receipt={receipt.event}>
      <span class="muted number" title={`SHA-256 ${receipt.sha256}`}>{receipt.number}</span>
      <div>
        <div><b>{receipt.event}</b>{receipt.change ? ` change ${receipt.change}` : receipt.event === "rejected" ? " all changes" : ""} <span class="muted small">{receipt.author ? `${receipt.author}, ` : ""}{when(receipt.at)}</span></div>
        {receipt.note && receipt.event !== "suggested" ? <div class="small">“{receipt.note}”</div> : null}
        {receipt.event === "obtained" ? <Gain receipt={receipt} /> : null}
      </div>
    </li>
  );
}

/** Predicted and obtained side by side, on one scale. */
function Gain({ receipt }: { receipt: Receipt }) {
  const { before_mm, predicted_mm, obtained_mm, inside, review_id } = receipt;
  if (before_mm === null || !predicted_mm || obtained_mm === null) return null;
  const most = Math.max(before_mm, predicted_mm.upper, obtained_mm);
  return (
    <div class="gain-table small">
      <span class="muted">before</span><b class="number">{mm(before_mm, 2)}</b><span />
      <span class="muted">predicted</span><b class="number">{mm(predicted_mm.value, 2)}</b><Bars before={before_mm} after={predicted_mm} most={most} />
      <span class="muted">obtained</span><b class="number">{mm(obtained_mm, 2)}</b><Bars before={before_mm} after={{ value: obtained_mm, lower: obtained_mm, upper: obtained_mm }} most={most} />
      <span class="verdict-line"><Icon name={inside ? "check" : "warn"} /> {inside ? "inside" : "outside"} the predicted {mm(predicted_mm.lower, 2)} to {mm(predicted_mm.upper, 2)}
        {review_id ? <> · <a href={deskLink(review_id)}>review of the re-run</a></> : null}</span>
    </div>
  );
}
