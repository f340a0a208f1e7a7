/** Deviation over time, one plot a part: p95 with its sigma band, the median, the tolerance; the time line goes through. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { PartResult } from "../../lib/contract";
import { fixed, mm, ms } from "../../lib/format";
import type { Desk } from "../../state/desk";
import * as route from "../../state/route";
import { ImpactorCurve } from "./impactorcurve";
import { css, drawn, LinkedPlot, SIGMAS, type Plotted } from "./plot";

/** A plot is as high as the room allows, within these; px. Where not all fit into the room, each is `SCROLLED` high. */
const LOWEST = 40;
const HIGHEST = 320;
const SCROLLED = 104;
/** Lower ones leave the numbers of their time axis to the last one, px. */
const LOW = 72;
/** How much higher the chosen one is. */
const CHOSEN = 1.6;
/** What a curve needs beside its plot, px. */
const HEADER = 21;
/** Plots are made as they are looked at; parts beyond this wait for their flag or selection. */
const MOST_PLOTS = 24;

export function Curves({ here }: { here: Desk }) {
  const parts = here.result.value?.parts ?? [];
  const flagged = new Set(here.shown_flags.value.map((each) => each.part_id));
  const sorted = [...parts].sort((a, b) => Number(flagged.has(b.id)) - Number(flagged.has(a.id)) || (b.peak_mm ?? 0) - (a.peak_mm ?? 0));
  const chosen = parts.find((each) => each.id === route.part.value);
  const shown = sorted.slice(0, MOST_PLOTS);
  if (chosen && !shown.includes(chosen)) shown.push(chosen);
  const host = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(0);
  useEffect(() => {
    if (!host.current) return;
    const sizes = new ResizeObserver(([entry]) => { if (entry) setRoom(entry.contentRect.height); });
    sizes.observe(host.current);
    return () => sizes.disconnect();
  }, [here.blind.value]);
  const way = here.result.value?.impactor ?? [];
  const height = plotHeight(room, shown.length + Number(way.length > 0), chosen !== undefined);
  return (
    <>
      <div class="bar">
        <h2>Deviation by part</h2>
        <span class="grow" />
        <span class="legend">
          <span><svg viewBox="0 0 22 10" aria-hidden="true"><rect y="1" width="22" height="8" fill="var(--band)" /><path d="M0 5h22" stroke="var(--accent)" stroke-width="2" /></svg> p95 ± {SIGMAS}σ</span>
          <span><svg viewBox="0 0 22 10" aria-hidden="true"><path d="M0 5h22" stroke="currentColor" stroke-width="1.2" /></svg> median</span>
          <span><svg viewBox="0 0 22 10" aria-hidden="true"><path d="M0 5h22" stroke="var(--alarm)" stroke-width="1.5" stroke-dasharray="5 3" /></svg> tolerance</span>
        </span>
      </div>
      {here.blind.value ? <p class="empty">Hidden until you have said what you see.</p> : (
        <div ref={host} class="scroll">{room === 0 ? null : shown.map((part, at) => {
          const own = Math.round(part.id === route.part.value ? CHOSEN * height : height);
          return <Curve key={part.id} here={here} part={part} chosen={part.id === route.part.value} height={own} times={own >= LOW || (at === shown.length - 1 && !way.length)} />;
        })}{room === 0 || !way.length ? null : <ImpactorCurve here={here} way={way} height={Math.round(height)} />}</div>
      )}
    </>
  );
}

/** How high a plot may be so that all share the room, px. */
function plotHeight(room: number, plots: number, one_chosen: boolean): number {
  const each = (room - plots * HEADER) / (plots + (one_chosen ? CHOSEN - 1 : 0));
  return each < LOWEST ? SCROLLED : Math.min(each, HIGHEST);
}

function deviationOf(part: PartResult): Plotted {
  const of = (value: (point: PartResult["series"][number]) => number | null) => part.series.map((point) => drawn(value(point)));
  const spread = (sign: number) => of((point) => (point.p95_mm === null || point.sigma_mm === null ? null : Math.max(0, point.p95_mm + sign * SIGMAS * point.sigma_mm)));
  return {
    columns: [part.series.map((point) => point.time_s * 1000), spread(1), spread(-1), of((point) => point.p50_mm), of((point) => point.p95_mm), part.series.map(() => part.tolerance_mm)],
    series: [
      { points: { show: false }, width: 0 },
      { points: { show: false }, width: 0 },
      { stroke: css("--muted"), width: 1, points: { show: false } },
      { stroke: css("--accent"), width: 2, points: { show: false } },
      { stroke: css("--alarm"), width: 1.2, dash: [5, 3], points: { show: false } },
    ],
    bands: [{ series: [1, 2], fill: css("--band") }],
    range: (_low, high) => [0, Math.max(high, part.tolerance_mm) * 1.06],
  };
}

/** What was seen of a part and what is known of it; reviews of earlier versions say only the latter. */
function sharesOf({ observed, coverage }: PartResult["series"][number]): string {
  const known = `${fixed(100 * coverage, 0)} % known`;
  return observed === null || observed === undefined ? known : `${fixed(100 * observed, 0)} % seen, ${known}`;
}

function Curve({ here, part, chosen, height, times }: { here: Desk; part: PartResult; chosen: boolean; height: number; times: boolean }) {
  const point = part.series[route.moment.value];
  return (
    <div class={`curve ${chosen ? "chosen" : ""}`} data-curve={part.name}>
      <header>
        <button aria-pressed={chosen} onClick={() => { route.part.value = chosen ? null : part.id; }}>{part.name}</button>
        <span class="muted more">peak {mm(part.peak_mm)}</span>
        <span class="muted more">onset {ms(part.onset_s)}</span>
        <span class="grow" />
        <span title="Now: 95th percentile of the part and one sigma; the share of what faces the cameras that one of them measured, and the share that is known, by a study or the surroundings too">
          {point?.p95_mm === null || !point ? "–" : `${fixed(point.p95_mm, 1)} ± ${fixed(point.sigma_mm, 1)} mm`}
          {point ? <span class="muted"> · {sharesOf(point)}</span> : null}
        </span>
      </header>
      <LinkedPlot here={here} shows={part} plotted={() => deviationOf(part)} height={height} times={times} label={`Deviation of ${part.name} over film time, mm over ms`} />
    </div>
  );
}
