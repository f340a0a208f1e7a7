/** One picture area a camera, the tools that choose how film and prediction are compared, and what lies over them. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useSignalEffect } from "@preact/signals";
import { COMPARISONS, FilmArea } from "../../gl/filmarea";
import { cssColour, type Stage } from "../../gl/stage";
import type { CanvasCamera, VerdictState } from "../../lib/contract";
import type { Desk } from "../../state/desk";
import * as overlay from "../../state/overlay";
import * as route from "../../state/route";
import { dark } from "../../state/settings";
import { Icon } from "../icons";
import { ColourBar } from "./colourbar";
import { COMPARISON_NAMES, comparisonKey, comparisonSays } from "./keys";
import { films } from "./reach";
import { readNode, readout } from "./readout";

export function Films({ here, stage }: { here: Desk; stage: Stage | null }) {
  const host = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<[number, number]>([800, 600]);
  useEffect(() => {
    const sizes = new ResizeObserver(([entry]) => { if (entry) setSize([entry.contentRect.width, entry.contentRect.height]); });
    sizes.observe(host.current!);
    return () => sizes.disconnect();
  }, []);
  const all = here.cameras.value;
  const shown = route.alone.value ? all.filter((each) => each.name === route.camera.value) : all;
  const beside = overlay.comparison.value === "beside";
  const columns = useMemo(() => bestColumns(shown, size, beside), [shown.length, size, beside]);
  useEffect(() => { here.area_px.value = (size[0] / columns / (beside ? 2 : 1)) * (stage?.whole_ratio ?? 1); }, [size, columns, beside, stage]);
  // The areas move when their number or places change: all is drawn anew.
  useEffect(() => stage?.invalidate(), [columns, shown.length, size, stage]);
  return (
    <>
      <CompareBar here={here} />
      <div ref={host} class="areas" style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`, gridAutoRows: "minmax(0, 1fr)" }}>
        {shown.map((camera) => <CameraArea key={camera.name} here={here} camera={camera} stage={stage} number={all.indexOf(camera) + 1} />)}
      </div>
      {overlay.colours.value && !here.blind.value ? <div class="colour-foot lonely"><ColourBar /></div> : null}
    </>
  );
}

/** The number of columns that makes the pictures largest. */
function bestColumns(cameras: readonly CanvasCamera[], [width, height]: [number, number], beside: boolean): number {
  let best = 1;
  let largest = 0;
  for (let columns = 1; columns <= cameras.length; columns++) {
    const rows = Math.ceil(cameras.length / columns);
    const scale = Math.min(...cameras.map((each) => Math.min(width / columns / (each.width * (beside ? 2 : 1)), height / rows / each.height)));
    if (scale > largest * 1.001) {
      largest = scale;
      best = columns;
    }
  }
  return best;
}

function CompareBar({ here }: { here: Desk }) {
  const now = overlay.comparison.value;
  const blind = here.blind.value;
  const check = (which: { value: boolean }, name: string, key: string, says: string, off = false) => (
    <label class="check" title={`${says} (${key.toUpperCase()})`}>
      <input type="checkbox" checked={which.value && !off} disabled={off} onChange={(event) => { which.value = event.currentTarget.checked; }} />{name}
    </label>
  );
  return (
    <div class="bar" role="toolbar" aria-label="Compare">
      <div class="segments" role="group" aria-label="Film and prediction">
        {COMPARISONS.map((each) => (
          <button key={each} aria-pressed={each === now} title={`${comparisonSays(each)} (${comparisonKey(each).toUpperCase()})`}
            onClick={() => { overlay.comparison.value = each; }}>{COMPARISON_NAMES[each]}</button>
        ))}
      </div>
      {now === "onion" ? <input type="range" min="0" max="1" step="0.02" value={overlay.onion.value} aria-label="Share of the predicted picture"
        title="Share of the predicted picture" style={{ width: "48px" }} onInput={(event) => { overlay.onion.value = Number(event.currentTarget.value); }} /> : null}
      <span class="grow" />
      {check(overlay.colours, "Deviation", "d", "Deviation colours where the film has the surface", blind)}
      {overlay.colours.value && !blind && now !== "onion" ? <input type="range" min="0.1" max="1" step="0.05" value={overlay.opacity.value} aria-label="Opacity of the colours"
        title="Opacity of the colours" style={{ width: "52px" }} onInput={(event) => { overlay.opacity.value = Number(event.currentTarget.value); }} /> : null}
      {check(overlay.outlines, "Flags", "l", "Outlines of flags", blind)}
      {check(overlay.edges, "Simulation", "e", "Elements where the simulation has them")}
      <button class="button one-of-two" aria-pressed={overlay.mesh_for_curves.value} data-mesh-for-curves title="The mesh in place of the curves (⇧ M)"
        onClick={() => { overlay.mesh_for_curves.value = !overlay.mesh_for_curves.peek(); }}>Mesh</button>
    </div>
  );
}

function CameraArea({ here, camera, stage, number }: { here: Desk; camera: CanvasCamera; stage: Stage | null; number: number }) {
  const host = useRef<HTMLDivElement>(null);
  const [area, setArea] = useState<FilmArea | null>(null);
  const [moved, setMoved] = useState(0);
  const chosen = route.camera.value === camera.name;
  useEffect(() => {
    if (!stage) return;
    const made = new FilmArea(
      host.current!, camera,
      () => ({
        comparison: overlay.comparison.peek(), onion: overlay.onion.peek(), wipe: overlay.wipe.peek(), blink_on: overlay.blink_on.peek(),
        colours: overlay.colours.peek() && !here.blind.peek() && !!here.model.peek()?.has(route.moment.peek()),
        opacity: overlay.opacity.peek(), edges: (overlay.edges.peek() || (here.trialShown() && overlay.trial_edges.peek())) && !!here.model.peek()?.has(route.moment.peek()),
        rims: overlay.outlines.peek() && here.showMesh() ? here.rim_lines : null, ground: cssColour("--sunken"), accent: cssColour("--accent"),
      }),
      () => ({
        film: here.picture(camera.name, route.moment.peek(), "film"),
        predicted: overlay.comparison.peek() === "film" ? null : here.picture(camera.name, route.moment.peek(), "predicted"),
        first: here.trialShown() && here.showMesh() ? here.firstPicture(camera.name) : null,
      }),
      () => here.model.peek(),
    );
    setArea(made);
    const remove = stage.add(made);
    return () => {
      remove();
      made.dispose();
    };
  }, [stage, camera]);
  useEffect(() => {
    if (!chosen || !area || !stage) return;
    const redraw = () => { stage.invalidate(area); setMoved((count) => count + 1); };
    films.zoom = (factor) => { area.zoomAt(host.current!.clientWidth / 2, host.current!.clientHeight / 2, factor); redraw(); };
    films.reset = () => { area.reset(); redraw(); };
  }, [chosen, area, stage]);
  const again = () => { if (area && stage) { stage.invalidate(area); setMoved((count) => count + 1); } };
  return (
    <div ref={host} class={`area ${chosen ? "chosen" : ""}`} tabIndex={0} role="group" aria-label={`Camera ${camera.name}`} data-camera={camera.name}
      onFocus={() => { route.camera.value = camera.name; }} onDblClick={() => { route.camera.value = camera.name; route.alone.value = !route.alone.peek(); }}
      {...(stage && area ? pointing(here, stage, area, again) : {})}>
      <CameraLabels here={here} camera={camera} number={number} zoom={area?.zoom ?? 1} />
      <div class="tools">
        {(area?.zoom ?? 1) > 1 ? <button class="icon-button" aria-label="Whole picture" title="Whole picture (0)" onClick={() => { area?.reset(); again(); }}><Icon name="fit" /></button> : null}
        <button class="icon-button" aria-label={route.alone.value ? "All cameras" : `Camera ${camera.name} alone`} title="Alone or all (A)"
          onClick={() => { route.camera.value = camera.name; route.alone.value = !route.alone.peek(); }}><Icon name={route.alone.value ? "shrink" : "expand"} /></button>
      </div>
      {area ? <Badges here={here} area={area} moved={moved} /> : null}
      {area && overlay.comparison.value === "wipe" ? <Wipe area={area} moved={moved} /> : null}
    </div>
  );
}

function CameraLabels({ here, camera, number, zoom }: { here: Desk; camera: CanvasCamera; number: number; zoom: number }) {
  void here.arrivals.value;
  const moment = route.moment.value;
  const frame = camera.frames[moment];
  const now = overlay.comparison.value;
  const there = here.picture(camera.name, moment, "film") !== null;
  const predicted = here.trial.value?.moment === moment ? "model at the sliders" : "predicted";
  return (
    <>
      <div class="name">{number} {camera.name}<span title="Frame of this camera, counted from 1; review.json counts from 0">frame {frame === null || frame === undefined ? "–" : frame + 1}{zoom > 1.01 ? `, ${zoom.toFixed(1)}×` : ""}{camera.mm_per_px ? `, ${camera.mm_per_px.toFixed(2)} mm/px` : ""}</span></div>
      {now === "wipe" || now === "beside" ? <><span class="side left">film</span><span class={`side ${now === "beside" ? "middle" : "right"}`}>{predicted}</span></> : null}
      {now === "onion" ? <span class="side left">film {Math.round(100 - 100 * overlay.onion.value)} % + {predicted} {Math.round(100 * overlay.onion.value)} %</span> : null}
      {now === "blink" ? <span class="side left">{overlay.blink_on.value ? predicted : "film"}</span> : null}
      {now === "predicted" ? <span class="side left">{predicted}</span> : null}
      {frame === null || frame === undefined ? <div class="absent">no picture of this camera at this time</div>
        : here.pictureFailed(camera.name, moment) ? <div class="absent">this picture could not be read</div>
        : !there && now !== "predicted" ? <div class="absent">fetching frame {frame + 1} …</div> : null}
    </>
  );
}

/** Wheel zooms, drag moves when zoomed, a click selects what lies there. */
function pointing(here: Desk, stage: Stage, area: FilmArea, again: () => void) {
  let from: [number, number] | null = null;
  let dragged = false;
  let asked = 0;
  const at = (event: PointerEvent | WheelEvent): [number, number] => {
    const box = area.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const onTool = (event: Event) => !!(event.target as Element).closest("button, .wipe");
  return {
    onWheel: (event: WheelEvent) => {
      event.preventDefault();
      area.zoomAt(...at(event), Math.exp(-event.deltaY * 0.0016));
      again();
    },
    onPointerDown: (event: PointerEvent) => {
      if (onTool(event) || event.button !== 0) return;
      from = [event.clientX, event.clientY];
      dragged = false;
    },
    onPointerMove: (event: PointerEvent) => {
      if (from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) > (dragged ? 0 : 4)) {
        if (!dragged) area.element.setPointerCapture(event.pointerId);
        dragged = true;
        area.pan(event.clientX - from[0], event.clientY - from[1]);
        from = [event.clientX, event.clientY];
        again();
        return;
      }
      if (asked || onTool(event)) return;
      asked = requestAnimationFrame(() => {
        asked = 0;
        const node = here.model.peek()?.has(route.moment.peek()) ? area.nodeAt(stage, ...at(event)) : null;
        readout.value = node === null ? null : readNode(here, node, event.clientX, event.clientY);
      });
    },
    onPointerUp: (event: PointerEvent) => {
      if (from && !dragged && !onTool(event)) {
        const node = here.model.peek()?.has(route.moment.peek()) ? area.nodeAt(stage, ...at(event)) : null;
        route.camera.value = area.canvas.name;
        selectNode(here, node);
      }
      from = null;
    },
    onPointerLeave: () => { readout.value = null; },
  };
}

/** A click on the surface selects its part and, where one is, its flag. */
export function selectNode(here: Desk, node: number | null): void {
  if (node === null) {
    here.select(null);
    route.part.value = null;
    return;
  }
  const number = here.blind.peek() ? 0 : here.flagAtNode(node);
  const flag = here.shown_flags.peek().find((each) => each.number === number) ?? null;
  here.select(flag, true);
  route.part.value = flag?.part_id ?? here.node_part?.[node] ?? null;
}

const BADGE_MARKS: Partial<Record<VerdictState, string>> = { confirmed: "✓", dismissed: "✕" };

/** Numbers of flags at the middle of their regions. They are buttons: the outline alone would be colour alone. */
function Badges({ here, area, moved }: { here: Desk; area: FilmArea; moved: number }) {
  const host = useRef<HTMLDivElement>(null);
  const place = () => {
    for (const badge of host.current?.children ?? []) {
      const middle = here.middleOf(Number((badge as HTMLElement).dataset["flag"]), area.as_filmed);
      const at = middle ? area.placeOf(...middle) : null;
      (badge as HTMLElement).style.transform = at ? `translate(${at[0].toFixed(1)}px, ${at[1].toFixed(1)}px)` : "";
      (badge as HTMLElement).hidden = !at;
    }
  };
  useSignalEffect(() => {
    void [route.moment.value, here.arrivals.value, here.shown_flags.value, overlay.labels.value, overlay.outlines.value, overlay.comparison.value, overlay.blink_on.value, here.trial.value, dark.value];
    here.showMesh();
    requestAnimationFrame(place);
  });
  useEffect(place, [moved, area]);
  useEffect(() => {
    const sizes = new ResizeObserver(place);
    sizes.observe(area.element);
    return () => sizes.disconnect();
  }, [area]);
  if (!overlay.labels.value || !overlay.outlines.value) return null;
  return (
    <div ref={host} class="badges">
      {here.shown_flags.value.map((flag) => (
        <button key={flag.id} hidden data-flag={flag.number} tabIndex={-1} aria-label={`Flag ${flag.number}, ${flag.part_name}`}
          class={`badge ${flag.number === route.flag.value ? "chosen" : ""} ${flag.verdict_machine === "cannot_tell" ? "unsure" : ""} ${flag.verdict.state}`}
          onClick={() => here.select(flag, true)}>{BADGE_MARKS[flag.verdict.state] ?? ""}{flag.number}</button>
      ))}
    </div>
  );
}

function Wipe({ area, moved }: { area: FilmArea; moved: number }) {
  const [, setPlaced] = useState(moved);
  const set = (event: PointerEvent) => {
    const box = area.element.getBoundingClientRect();
    const [u] = area.pixelAt(event.clientX - box.left, 0);
    overlay.wipe.value = Math.min(Math.max((u + 0.5) / area.canvas.width, 0), 1);
  };
  useEffect(() => {
    const sizes = new ResizeObserver(() => setPlaced((count) => count + 1));
    sizes.observe(area.element);
    return () => sizes.disconnect();
  }, [area]);
  void overlay.wipe.value;
  return (
    <div class="wipe" role="slider" tabIndex={0} aria-label="Border between film and predicted picture" aria-valuemin={0} aria-valuemax={100}
      aria-valuenow={Math.round(100 * overlay.wipe.value)} style={{ transform: `translateX(${area.wipePlace().toFixed(1)}px)` }}
      onPointerDown={(event) => { event.currentTarget.setPointerCapture(event.pointerId); event.stopPropagation(); }}
      onPointerMove={(event) => { if (event.currentTarget.hasPointerCapture(event.pointerId)) set(event); }}
      onKeyDown={(event) => {
        const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        overlay.wipe.value = Math.min(Math.max(overlay.wipe.peek() + by, 0), 1);
      }} />
  );
}
