/** A plot over film time that goes with the desk: the time line goes through it, and a drag along it scrubs. */
import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { fixed } from "../../lib/format";
import type { Desk } from "../../state/desk";
import * as route from "../../state/route";
import { dark } from "../../state/settings";

/** A band is as wide to either side. */
export const SIGMAS = 2;

/** What a plot shows, in ms over mm. */
export interface Plotted {
  columns: uPlot.AlignedData;
  series: uPlot.Series[];
  bands: uPlot.Band[];
  /** Ends of the mm axis, from those of what is drawn. */
  range: (low: number, high: number) => [number, number];
}

/** A number that a plot can draw, null for a gap. */
export const drawn = (value: number | null | undefined) => (value !== null && value !== undefined && Number.isFinite(value) ? value : null);

/** A colour of the theme, for the canvas. */
export const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function optionsOf({ series, bands, range }: Plotted, width: number, height: number, times: boolean): uPlot.Options {
  const [ink, line] = [css("--muted"), css("--line")];
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 }, font: "10.5px Inter, sans-serif", gap: 3 };
  // The last tick names the unit.
  const named = (unit: string) => (_plot: uPlot, ticks: number[]) => ticks.map((tick, at) => `${fixed(tick, tick % 1 ? 1 : 0)}${at === ticks.length - 1 ? ` ${unit}` : ""}`);
  return {
    width, height, legend: { show: false }, padding: [6, 16, 0, 0],
    cursor: { x: false, y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: false }, y: { range: (_plot, low, high) => range(low, high) } },
    axes: [times ? { ...axis, size: 20, values: named("ms") } : { ...axis, size: 6, values: (_plot, ticks) => ticks.map(() => "") }, { ...axis, size: 42, space: 26, values: named("mm") }],
    series: [{}, ...series],
    bands,
  };
}

/** `plotted` is asked again with each theme, for its colours; `shows` is what it is made of. */
export function LinkedPlot({ here, shows, plotted, height, times, label }: { here: Desk; shows: unknown; plotted: () => Plotted; height: number; times: boolean; label: string }) {
  const host = useRef<HTMLDivElement>(null);
  const now = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const place = () => {
    const made = plot.current;
    if (!made || !now.current) return;
    const left = made.valToPos(here.time_s.peek() * 1000, "x") + made.over.offsetLeft;
    now.current.style.transform = `translateX(${left.toFixed(1)}px)`;
    now.current.style.top = `${made.over.offsetTop}px`;
    now.current.style.height = `${made.over.offsetHeight}px`;
  };
  const theme = dark.value;
  useEffect(() => {
    const shown = plotted();
    const made = new uPlot(optionsOf(shown, host.current!.clientWidth, height, times), shown.columns, host.current!);
    plot.current = made;
    place();
    const sizes = new ResizeObserver(() => {
      const width = host.current?.clientWidth ?? 0;
      if (width > 20 && width !== made.width) made.setSize({ width, height: made.height });
      place();
    });
    sizes.observe(host.current!);
    return () => {
      sizes.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shows, theme, times]);
  useEffect(() => {
    const made = plot.current;
    if (made && made.height !== height) made.setSize({ width: made.width, height });
    place();
  }, [height]);
  useSignalEffect(() => {
    void here.time_s.value;
    place();
  });
  const scrub = (event: PointerEvent) => {
    const made = plot.current;
    if (!made) return;
    const left = event.clientX - made.over.getBoundingClientRect().left;
    here.playing.value = false;
    route.moment.value = route.nearest(route.moments_s.peek(), made.posToVal(left, "x") / 1000);
  };
  return (
    <div class="plot" role="img" aria-label={label}
      onPointerDown={(event) => { event.currentTarget.setPointerCapture(event.pointerId); scrub(event); }}
      onPointerMove={(event) => { if (event.currentTarget.hasPointerCapture(event.pointerId)) scrub(event); }}>
      <div ref={host} />
      <div ref={now} class="now" />
    </div>
  );
}
