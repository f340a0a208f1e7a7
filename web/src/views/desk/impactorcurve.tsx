/** How far the impactor has come in the film, beside the simulation's: who hits faster, or into something softer? */
import type { ImpactorMoment } from "../../lib/contract";
import { fixed } from "../../lib/format";
import type { Desk } from "../../state/desk";
import * as route from "../../state/route";
import { css, drawn, LinkedPlot, SIGMAS, type Plotted } from "./plot";

/** What one reads is the difference, a few mm in some hundred: it is what is drawn. */
function differenceOf(way: ImpactorMoment[]): Plotted {
  const more = (sign: number) => way.map((point) => drawn(point.simulated_mm === null ? null : point.seen_mm - point.simulated_mm + sign * SIGMAS * point.sigma_mm));
  return {
    columns: [way.map((point) => point.time_s * 1000), more(1), more(-1), more(0), way.map(() => 0)],
    series: [
      { points: { show: false }, width: 0 },
      { points: { show: false }, width: 0 },
      { stroke: css("--accent"), width: 2, points: { show: false } },
      { stroke: css("--muted"), width: 1, dash: [2, 3], points: { show: false } },
    ],
    bands: [{ series: [1, 2], fill: css("--band") }],
    range: (low, high) => { const room = 0.06 * Math.max(high - low, 0.1); return [Math.min(low, 0) - room, Math.max(high, 0) + room]; },
  };
}

export function ImpactorCurve({ here, way, height }: { here: Desk; way: ImpactorMoment[]; height: number }) {
  const point = way[route.nearest(way.map((each) => each.time_s), here.time_s.value)];
  const difference = !point || point.simulated_mm === null ? null : point.seen_mm - point.simulated_mm;
  return (
    <div class="curve" data-curve-impactor>
      <header>
        <strong>Impactor</strong>
        <span class="muted more">film minus simulation</span>
        <span class="grow" />
        <span title="Now: how far the impactor has come since it touched, in the film and in the simulation, and the difference with one sigma. A line that rises from the contact on is another impact speed; one that bends later is a structure that yields more">
          {!point || difference === null ? "–" : `${difference > 0 ? "+" : ""}${fixed(difference, 1)} ± ${fixed(point.sigma_mm, 1)} mm`}
          {!point ? null : <span class="muted"> · {fixed(point.seen_mm, 1)} of {fixed(point.simulated_mm, 1)} mm</span>}
        </span>
      </header>
      <LinkedPlot here={here} shows={way} plotted={() => differenceOf(way)} height={height} times label="Displacement of the impactor, film minus simulation, mm over ms" />
    </div>
  );
}
