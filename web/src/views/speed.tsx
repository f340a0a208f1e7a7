/** Measures this machine: a made-up mesh of a given size through the same renderer as the desk's. /speed?elements=1000000 */
import { useEffect, useRef, useState } from "preact/hooks";
import { MeshArea } from "../gl/mesharea";
import { MeshModel } from "../gl/meshmodel";
import { cssColour, Stage } from "../gl/stage";
import type { Mesh, MeshState } from "../lib/meshfile";
import { fixed } from "../lib/format";

const MOMENTS = 4;
const WARM_UP = 3;
const MEASURE_MS = 4000;

/** A corrugated sheet of quads in four parts, every tenth node not measured. */
function sheet(elements: number): { mesh: Mesh; states: MeshState[] } {
  const side = Math.max(2, Math.round(Math.sqrt(elements)));
  const across = side + 1;
  const nodes = across * across;
  const quads = side * side;
  const mesh: Mesh = {
    nodes, triangles: 2 * quads, elements: quads,
    undeformed_mm: new Float32Array(3 * nodes), triangle_nodes: new Uint32Array(6 * quads), triangle_element: new Uint32Array(2 * quads),
    element_part: new Int32Array(quads), element_id: new Uint32Array(quads),
  };
  const states = Array.from({ length: MOMENTS }, (): MeshState => ({
    simulated_mm: new Float32Array(3 * nodes), deviation_mm: new Float32Array(3 * nodes), sigma_mm: new Float32Array(nodes), plastic_strain: new Float32Array(nodes), seen: new Float32Array(nodes).fill(1), alive: null,
  }));
  for (let node = 0; node < nodes; node++) {
    const [x, y] = [((node % across) / side) * 1000 - 500, (Math.floor(node / across) / side) * 1000 - 500];
    mesh.undeformed_mm.set([x, y, 40 * Math.sin(x / 30)], 3 * node);
    states.forEach((state, moment) => {
      state.simulated_mm.set([x, y, 40 * Math.sin(x / 30 + moment * 0.3) * Math.cos(y / 200)], 3 * node);
      state.deviation_mm.set([0, 0, 8 * Math.sin(x / 90) * Math.sin(y / 70 + moment)], 3 * node);
      state.sigma_mm[node] = node % 97 < 9 ? -1 : 0.4;
      state.plastic_strain[node] = Math.abs(Math.sin(y / 50));
    });
  }
  for (let quad = 0; quad < quads; quad++) {
    const a = Math.floor(quad / side) * across + (quad % side);
    mesh.triangle_nodes.set([a, a + 1, a + across + 1, a, a + across + 1, a + across], 6 * quad);
    mesh.triangle_element.set([quad, quad], 2 * quad);
    mesh.element_part[quad] = Math.floor((4 * quad) / quads);
    mesh.element_id[quad] = quad;
  }
  return { mesh, states };
}

export function SpeedView() {
  const host = useRef<HTMLDivElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [said, setSaid] = useState("making the mesh …");
  useEffect(() => {
    let gone = false;
    const wanted = Number(new URLSearchParams(location.search).get("elements") ?? 1_000_000);
    const stage = new Stage(canvas.current!, host.current!);
    const timer = setTimeout(() => {
      const { mesh, states } = sheet(wanted);
      const model = new MeshModel(mesh);
      states.forEach((state, moment) => model.put(moment, state));
      model.colourBy({ quantity: "deviation", map: "viridis", low: 0, high: 10, tolerance_mm: 5, bands: 0 });
      model.show(0);
      const area: MeshArea = new MeshArea(place.current!, () => ({ as_filmed: 1, edges: false, rims: null, ground: cssColour("--sunken"), ink: cssColour("--ink"), accent: cssColour("--accent") }), () => model, () => stage.invalidate(area));
      stage.add(area);
      area.fit();
      void measure(stage, area, model, () => gone).then((result) => {
        if (gone) return;
        const text = { ...result, elements: mesh.elements, gl: rendererName(stage) };
        setSaid(`${mesh.elements.toLocaleString("en")} elements, ${(2 * mesh.elements).toLocaleString("en")} triangles: turning ${fixed(result.turning, 1)}, playing ${fixed(result.playing, 1)} pictures/s · ${text.gl}`);
        document.documentElement.dataset["speed"] = JSON.stringify(text);
      });
    }, 50);
    return () => { gone = true; clearTimeout(timer); stage.dispose(); };
  }, []);
  return (
    <div ref={host} style={{ position: "relative", height: "100%" }}>
      <canvas ref={canvas} class="stage" style={{ position: "absolute", inset: 0, width: "100%", height: "100%", pointerEvents: "none" }} />
      <div ref={place} class="area" style={{ position: "absolute", inset: 0 }}><div class="name">{said}</div></div>
    </div>
  );
}

function rendererName(stage: Stage): string {
  const gl = stage.renderer.getContext();
  const more = gl.getExtension("WEBGL_debug_renderer_info");
  return more ? String(gl.getParameter(more.UNMASKED_RENDERER_WEBGL)) : "unknown renderer";
}

/** Pictures a second while turning, and while the moments change too; each picture is waited for. */
async function measure(stage: Stage, area: MeshArea, model: MeshModel, gone: () => boolean): Promise<{ turning: number; playing: number }> {
  const gl = stage.renderer.getContext();
  const pixel = new Uint8Array(4);
  const run = async (playing: boolean) => {
    let pictures = 0;
    let began = 0;
    for (let at = 0; !gone(); at++) {
      if (at === WARM_UP) began = performance.now();
      if (playing) model.show(at % MOMENTS);
      area.turn(0.02, 0);
      stage.drawNow();
      // Reading a pixel waits until the picture is done.
      gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
      await new Promise((done) => setTimeout(done));
      if (at < WARM_UP) continue;
      pictures += 1;
      if (performance.now() - began > MEASURE_MS) break;
    }
    return (1000 * pictures) / (performance.now() - began);
  };
  return { turning: await run(false), playing: await run(true) };
}
