/** The time line: play controls, onsets, and a lane a part with its flags; dragging it scrubs. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { colourOf } from "../../lib/colour";
import type { Flag, PartResult } from "../../lib/contract";
import { lastTime } from "../../lib/flagtime";
import { fixed, mm, ms, roundStep } from "../../lib/format";
import { pictures_per_s, RATES, repeat, type Desk } from "../../state/desk";
import * as overlay from "../../state/overlay";
import * as route from "../../state/route";
import { Icon } from "../icons";

const NAME_WIDTH = 150;
const RIGHT = 14;
const AXIS = 20;
const LANE = 20;
/** More lanes than this only hide each other; the parts list has them all. */
const MOST_LANES = 40;

export function TimeLine({ here }: { here: Desk }) {
  const host = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(1000);
  useEffect(() => {
    const sizes = new ResizeObserver(([entry]) => { if (entry) setWidth(entry.contentRect.width); });
    sizes.observe(host.current!);
    return () => sizes.disconnect();
  }, []);
  return (
    <>
      <Controls here={here} />
      <div ref={host} class="lanes"><Lanes here={here} width={width} /></div>
    </>
  );
}

function Controls({ here }: { here: Desk }) {
  const count = route.moments_s.value.length;
  const button = (icon: "first" | "back" | "forth" | "last", name: string, run: () => void) => (
    <button class="icon-button" aria-label={name} title={name} onClick={run}><Icon name={icon} /></button>
  );
  return (
    <div class="controls">
      {button("first", "First picture (Home)", () => here.step(-Infinity))}
      {button("back", "One picture back (←)", () => here.step(-1))}
      <button class="button" style={{ width: "74px" }} aria-pressed={here.playing.value} title="Play film and mesh (Space)" onClick={() => { here.playing.value = !here.playing.peek(); }}>
        <Icon name={here.playing.value ? "pause" : "play"} />{here.playing.value ? "Stop" : "Play"}</button>
      {button("forth", "One picture on (→)", () => here.step(1))}
      {button("last", "Last picture (End)", () => here.step(Infinity))}
      <button class="icon-button" aria-pressed={repeat.value} aria-label="Repeat" title="Repeat" onClick={() => { repeat.value = !repeat.peek(); }}><Icon name="repeat" /></button>
      <select aria-label="Pictures a second" title="Pictures a second (< >)" value={String(pictures_per_s.value)} onChange={(event) => { pictures_per_s.value = Number(event.currentTarget.value); }}>
        {RATES.map((rate) => <option key={rate} value={String(rate)}>{rate} / s</option>)}
      </select>
      <output class="clock" aria-label="Film time">{ms(here.time_s.value, 3)}</output>
      <span class="muted">picture {route.moment.value + 1} of {count}</span>
      {here.live_now.value ? <button class="button" aria-pressed={route.follow.value} data-follow title="Show each picture as it comes (K)" onClick={() => here.turnFollow()}><Icon name="live" />Follow <kbd>K</kbd></button> : null}
      {here.waiting.value ? <span class="muted" role="status">waiting for pictures …</span> : null}
      <span class="grow" />
      {here.blind.value ? null : <span class="legend small">
        <svg viewBox="0 0 22 10" aria-hidden="true"><path d="M2 1v8M2 5h18M20 2v6" stroke="currentColor" stroke-width="2" /><circle cx="13" cy="5" r="3" fill="currentColor" /></svg>flag: onset, peak, last seen
        <svg viewBox="0 0 22 10" aria-hidden="true"><rect width="22" height="10" y="0" fill={colourOf(overlay.colour_blind.value, 0.7, 0, 1)} /></svg>p95 of the part
      </span>}
      {here.result.value?.trigger ? <span class="muted small" title="Simulation time minus film time, found by the review">trigger {fixed(here.result.value.trigger.offset_s * 1000, 2)} ± {fixed(here.result.value.trigger.sigma_s * 1000, 2)} ms</span> : null}
    </div>
  );
}

function Lanes({ here, width }: { here: Desk; width: number }) {
  const times = route.moments_s.value;
  const [t0, t1] = [times[0] ?? 0, times.at(-1) ?? 1];
  const x = (time_s: number) => NAME_WIDTH + ((time_s - t0) / (t1 - t0 || 1)) * (width - NAME_WIDTH - RIGHT);
  const parts = here.blind.value ? [] : lanesOf(here.result.value?.parts ?? [], here.shown_flags.value);
  const height = AXIS + Math.max(1, parts.length) * LANE + 4;
  const scrub = (event: PointerEvent) => {
    const box = (event.currentTarget as SVGElement).getBoundingClientRect();
    const time_s = t0 + ((event.clientX - box.left - NAME_WIDTH) / (width - NAME_WIDTH - RIGHT)) * (t1 - t0);
    here.playing.value = false;
    route.moment.value = route.nearest(times, time_s);
  };
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="slider" tabIndex={0} aria-label="Film time" aria-valuemin={t0 * 1000} aria-valuemax={t1 * 1000}
      aria-valuenow={Number((here.time_s.value * 1000).toFixed(3))} aria-valuetext={ms(here.time_s.value, 3)} data-timeline
      onPointerDown={(event) => {
        if ((event.target as Element).closest("[data-part], [data-flag]")) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        scrub(event);
      }}
      onPointerMove={(event) => { if (event.currentTarget.hasPointerCapture(event.pointerId)) scrub(event); }}
      onKeyDown={(event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (by === undefined || event.shiftKey) return;
        event.preventDefault();
        here.step(by);
      }}>
      <Axis times={times} x={x} height={height} />
      {parts.map((part, lane) => <Lane key={part.id} here={here} part={part} x={x} y={AXIS + lane * LANE} width={width} />)}
      <PlayHead here={here} x={x} height={height} />
    </svg>
  );
}

/** Parts with flags first, then by peak. */
function lanesOf(parts: readonly PartResult[], flags: readonly Flag[]): PartResult[] {
  const flagged = new Set(flags.map((each) => each.part_id));
  return [...parts].sort((a, b) => Number(flagged.has(b.id)) - Number(flagged.has(a.id)) || (b.peak_mm ?? 0) - (a.peak_mm ?? 0)).slice(0, MOST_LANES);
}

function Axis({ times, x, height }: { times: readonly number[]; x: (time_s: number) => number; height: number }) {
  const [t0, t1] = [(times[0] ?? 0) * 1000, (times.at(-1) ?? 1) * 1000];
  const step = roundStep(t1 - t0, 12);
  const ticks: number[] = [];
  for (let tick = Math.ceil(t0 / step - 1e-9) * step; tick <= t1 + 1e-9; tick += step) ticks.push(tick);
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return (
    <g>
      <text x={NAME_WIDTH - 10} y={13} text-anchor="end">film time, ms</text>
      {ticks.map((tick) => (
        <g key={tick}><line x1={x(tick / 1000)} x2={x(tick / 1000)} y1={AXIS - 3} y2={height} stroke="var(--line)" />
          <text x={x(tick / 1000)} y={13} text-anchor="middle">{fixed(tick, places)}</text></g>
      ))}
      {times.length <= 400 ? times.map((time_s) => <line key={time_s} x1={x(time_s)} x2={x(time_s)} y1={AXIS - 4} y2={AXIS} stroke="var(--line-strong)" />) : null}
    </g>
  );
}

function Lane({ here, part, x, y, width }: { here: Desk; part: PartResult; x: (time_s: number) => number; y: number; width: number }) {
  const chosen = route.part.value === part.id;
  const high = overlay.largest.value.deviation;
  const flags = here.shown_flags.value.filter((each) => each.part_id === part.id);
  const middle = y + LANE / 2;
  const choose = () => { route.part.value = chosen ? null : part.id; };
  return (
    <g>
      {chosen ? <rect x={0} y={y} width={width} height={LANE} fill="var(--accent-ground)" /> : null}
      <text class={chosen ? "chosen" : ""} x={4} y={middle + 4} data-part={part.id} style={{ cursor: "pointer" }} onClick={choose}>
        {part.name.length > 20 ? `${part.name.slice(0, 19)}…` : part.name}<title>{`${part.name}: peak ${mm(part.peak_mm)}, onset ${ms(part.onset_s)}`}</title></text>
      {part.series.map((point, at) => {
        const next = part.series[at + 1]?.time_s ?? point.time_s;
        if (point.p95_mm === null || next <= point.time_s) return null;
        return <rect key={point.time_s} x={x(point.time_s)} y={y + LANE - 6} width={x(next) - x(point.time_s) + 0.4} height={4} fill={colourOf(overlay.colour_blind.value, point.p95_mm, 0, high)} />;
      })}
      {part.onset_s !== null ? <line x1={x(part.onset_s)} x2={x(part.onset_s)} y1={y + 1} y2={y + LANE - 2} stroke="var(--alarm)" stroke-width={1.5} stroke-dasharray="2 2" /> : null}
      {flags.map((flag, at) => <FlagMark key={flag.id} here={here} flag={flag} x={x} y={middle - 4 + (at % 2 ? 1.5 : -1.5)} nth={at} same={flags} />)}
    </g>
  );
}

function FlagMark({ here, flag, x, y, nth, same }: { here: Desk; flag: Flag; x: (time_s: number) => number; y: number; nth: number; same: Flag[] }) {
  const chosen = flag.number === route.flag.value;
  const ink = chosen ? "var(--accent)" : flag.verdict.state === "dismissed" ? "var(--line-strong)" : "var(--alarm)";
  const [cameras, times_s] = [here.cameras.value, route.moments_s.value];
  const last_s = useMemo(() => Math.max(flag.peak_s, lastTime(flag, cameras, times_s) ?? flag.peak_s), [flag, cameras, times_s]);
  const [from, peak, to] = [x(flag.onset_s), x(flag.peak_s), x(last_s)];
  // Flags that begin together stand side by side.
  const before = same.slice(0, nth).filter((each) => Math.abs(x(each.onset_s) - from) < 12).length;
  return (
    <g data-flag={flag.number} style={{ cursor: "pointer" }} onClick={() => here.select(flag)}>
      <title>{`Flag ${flag.number} on ${flag.part_name}: onset ${ms(flag.onset_s)}, peak ${mm(flag.peak_mm)} at ${ms(flag.peak_s)}, there until ${ms(last_s)}`}</title>
      <line x1={from} x2={to} y1={y} y2={y} stroke={ink} stroke-width={chosen ? 3 : 1.5} stroke-dasharray={flag.verdict_machine === "cannot_tell" ? "4 3" : "none"} />
      {to - from > 9 ? <line x1={to} x2={to} y1={y - 3.5} y2={y + 3.5} stroke={ink} stroke-width={chosen ? 2 : 1.2} /> : null}
      {peak - from > 9 ? <circle cx={peak} cy={y} r={chosen ? 3.5 : 2.5} fill={ink} /> : null}
      <rect x={from - 7 - before * 15} y={y - 7} width={14} height={14} rx={7} fill="var(--panel)" stroke={ink} stroke-width={chosen ? 2 : 1.2} />
      <text x={from - before * 15} y={y + 3.4} text-anchor="middle" style={{ fontSize: "9.5px", fontWeight: 650, fill: ink }}>{flag.number}</text>
    </g>
  );
}

function PlayHead({ here, x, height }: { here: Desk; x: (time_s: number) => number; height: number }) {
  const at = x(here.time_s.value);
  return (
    <g pointer-events="none">
      <line x1={at} x2={at} y1={AXIS - 6} y2={height} stroke="var(--accent)" stroke-width={2} />
      <path d={`M${at - 5} ${AXIS - 10}h10v4l-5 5-5-5z`} fill="var(--accent)" />
    </g>
  );
}
