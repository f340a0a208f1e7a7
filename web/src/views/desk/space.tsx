/** The mesh in space. */
import { useEffect, useRef, useState } from "preact/hooks";
import { DIRECTIONS, MeshArea, type Direction } from "../../gl/mesharea";
import { cssColour, type Stage } from "../../gl/stage";
import { desk, type Desk } from "../../state/desk";
import * as overlay from "../../state/overlay";
import * as route from "../../state/route";
import { Icon } from "../icons";
import { ColourBar, QuantityChoice } from "./colourbar";
import { selectNode } from "./films";
import { space } from "./reach";
import { readNode, readout } from "./readout";

const NAMES: Record<Direction, string> = { iso: "Iso", x: "X", y: "Y", z: "Z" };
const TURN = 0.12;

export function Space({ here, stage }: { here: Desk; stage: Stage | null }) {
  const host = useRef<HTMLDivElement>(null);
  const [area, setArea] = useState<MeshArea | null>(null);
  const model = here.model.value;
  const blind = here.blind.value;
  useEffect(() => {
    if (!stage || !model) return;
    const made: MeshArea = new MeshArea(
      host.current!,
      () => ({
        as_filmed: here.blind.peek() || here.trialShown() ? 0 : overlay.exaggeration.peek(), edges: overlay.mesh_edges.peek(), rims: overlay.outlines.peek() && here.showMesh() ? here.rim_lines : null,
        ground: cssColour("--sunken"), ink: cssColour("--ink"), accent: cssColour("--accent"),
      }),
      () => (here.showMesh() ? here.model.peek() : null),
      () => stage.invalidate(made),
    );
    const remove = stage.add(made);
    setArea(made);
    return () => {
      remove();
      made.dispose();
    };
  }, [stage, model]);
  useEffect(() => {
    const all = Object.keys(DIRECTIONS) as Direction[];
    let at = 0;
    space.turn = () => { at = (at + 1) % all.length; area?.fit(all[at]); };
    return () => { delete space.turn; };
  }, [area]);
  const part = here.result.value?.parts.find((each) => each.id === route.part.value);
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Mesh">
        <QuantityChoice only_plastic={blind} />
        <label class="check" title="Edges of the elements"><input type="checkbox" checked={overlay.mesh_edges.value} onChange={(event) => { overlay.mesh_edges.value = event.currentTarget.checked; }} />Edges</label>
        <label class="check" title="Bands instead of smooth colours (G)"><input type="checkbox" checked={overlay.banded.value} onChange={(event) => { overlay.banded.value = event.currentTarget.checked; }} />Bands</label>
        <span class="grow" />
        {blind ? null : <label class="check" title="How much of the deviation is in the shape: 0 as simulated, 1 as filmed">Δ ×{overlay.exaggeration.value}
          <input type="range" min="0" max="5" step="0.5" value={overlay.exaggeration.value} aria-label="Deviation in the shape" style={{ width: "52px" }}
            onInput={(event) => { overlay.exaggeration.value = Number(event.currentTarget.value); }} /></label>}
      </div>
      <div ref={host} class="area grow" tabIndex={0} role="group" aria-label="Mesh: arrows turn it" {...(stage && area ? pointing(here, stage, area) : {})}>
        {part || here.trial.value ? <div class="name">{part?.name}{here.trial.value ? <span>model at the sliders</span> : null}</div> : null}
        {/* A press here is none on the mesh, which would take the pointer for turning. */}
        <div class="tools" onPointerDown={(event) => event.stopPropagation()} onPointerUp={(event) => event.stopPropagation()}>
          {overlay.hidden_parts.value.size ? <button class="button" onClick={() => { overlay.hidden_parts.value = new Set(); }}><Icon name="eye" />{overlay.hidden_parts.value.size} hidden</button> : null}
          <div class="segments" role="group" aria-label="Direction of view" title="Next side (V)">
            {(Object.keys(DIRECTIONS) as Direction[]).map((each) => <button key={each} onClick={() => area?.fit(each)}>{NAMES[each]}</button>)}
          </div>
        </div>
        {!model ? <div class="absent">{here.mesh_problem.value ?? "fetching the mesh …"}</div> : <Missing here={here} />}
      </div>
      <div class="colour-foot"><ColourBar /></div>
    </>
  );
}

function Missing({ here }: { here: Desk }) {
  void here.arrivals.value;
  return here.model.value?.has(route.moment.value) ? null : <div class="absent">{here.mesh_problem.value ?? "fetching this moment …"}</div>;
}

function pointing(here: Desk, stage: Stage, area: MeshArea) {
  let from: [number, number] | null = null;
  let asked = 0;
  const nodeAt = (event: PointerEvent) => {
    const box = area.element.getBoundingClientRect();
    return here.showMesh() ? area.nodeAt(stage, event.clientX - box.left, event.clientY - box.top) : null;
  };
  return {
    onPointerDown: (event: PointerEvent) => { from = [event.clientX, event.clientY]; },
    onPointerUp: (event: PointerEvent) => {
      const still = from && Math.hypot(event.clientX - from[0], event.clientY - from[1]) < 4;
      from = null;
      if (still && event.button === 0 && !(event.target as Element).closest("button")) selectNode(here, nodeAt(event));
    },
    onPointerMove: (event: PointerEvent) => {
      if (from || asked) {
        if (from) readout.value = null;
        return;
      }
      asked = requestAnimationFrame(() => {
        asked = 0;
        if (desk.peek() !== here) return;
        const node = nodeAt(event);
        readout.value = node === null ? null : readNode(here, node, event.clientX, event.clientY);
      });
    },
    onPointerLeave: () => { readout.value = null; },
    onKeyDown: (event: KeyboardEvent) => {
      const by = ({ ArrowLeft: [TURN, 0], ArrowRight: [-TURN, 0], ArrowUp: [0, -TURN], ArrowDown: [0, TURN] } as Record<string, [number, number]>)[event.key];
      if (!by || event.shiftKey) return;
      event.preventDefault();
      area.turn(...by);
    },
  };
}
