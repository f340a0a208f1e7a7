/**
 * The mesh on the graphics card: the topology once, and as many moments as the budget allows in slots that are used
 * again. Everything that is drawn of the mesh reads the same five node attributes.
 */
import {
  BufferAttribute, BufferGeometry, DataTexture, DoubleSide, DynamicDrawUsage, GLSL3, LineSegments, LinearFilter, Mesh as Drawn,
  RGBAFormat, RawShaderMaterial, Scene, Sphere, Vector2, Vector3, Vector4, Color, LessEqualDepth, type Camera,
  type ShaderMaterialParameters,
} from "three";
import { colourTable, type MapName } from "../lib/colour";
import { elementEdges, livingEdges, livingTriangles, type Mesh, type MeshState } from "../lib/meshfile";
import {
  EDGE_FRAGMENT, EDGE_VERTEX, PICK_FRAGMENT, PICK_VERTEX, RIM_FRAGMENT, RIM_VERTEX, SURFACE_FRAGMENT, SURFACE_VERTEX,
} from "./shaders";

/** GPU memory for node attributes of moments. */
const SLOT_BUDGET_BYTES = 512 * 2 ** 20;
const BYTES_PER_NODE = 36;
/** Above this the edges of single elements are finer than a pixel. */
export const MOST_ELEMENTS_WITH_EDGES = 250_000;

const ATTRIBUTES = [["simulated", "simulated_mm", 3], ["deviation", "deviation_mm", 3], ["sigma", "sigma_mm", 1], ["plastic", "plastic_strain", 1], ["seen", "seen", 1]] as const;

export const QUANTITIES = ["deviation", "deviation_x", "deviation_y", "deviation_z", "sigma", "plastic"] as const;
export type Quantity = (typeof QUANTITIES)[number];

export interface Colouring {
  quantity: Quantity;
  map: MapName;
  low: number;
  high: number;
  /** mm; 0 draws no line. */
  tolerance_mm: number;
  bands: number;
}

interface Slot {
  moment: number;
  used: number;
  attributes: BufferAttribute[];
  alive: MeshState["alive"];
}

function shader(vertexShader: string, fragmentShader: string, more: ShaderMaterialParameters): RawShaderMaterial {
  return new RawShaderMaterial({ glslVersion: GLSL3, vertexShader, fragmentShader, side: DoubleSide, ...more });
}

export class MeshModel {
  readonly sphere: Sphere;
  readonly mesh: Mesh;
  private readonly solid = new BufferGeometry();
  private readonly lines = new BufferGeometry();
  private readonly slots: Slot[] = [];
  private readonly most_slots: number;
  private readonly part_ranges: { part: number; start: number; count: number }[];
  private clock = 0;
  /** All element edges, once they were asked for. */
  private edges: Uint32Array<ArrayBuffer> | null = null;
  /** What the indices leave out, and whether the lines' are made for it. */
  private alive: MeshState["alive"] = null;
  private has_lines = false;
  private readonly as_filmed = { value: 1 };
  private readonly table: DataTexture;
  private table_name: MapName | null = null;
  private readonly plain: RawShaderMaterial;
  private readonly dimmed: RawShaderMaterial;
  private readonly hidden = shader(EDGE_VERTEX, EDGE_FRAGMENT, { visible: false });
  private readonly depth: RawShaderMaterial;
  private readonly edge: RawShaderMaterial;
  private readonly picker: RawShaderMaterial;
  private readonly surface: Drawn;
  private readonly scenes: { depth: Scene; colour: Scene; edges: Scene; pick: Scene };

  constructor(mesh: Mesh) {
    this.mesh = sortedByPart(mesh);
    this.part_ranges = rangesByPart(this.mesh);
    this.most_slots = Math.max(2, Math.min(1024, Math.floor(SLOT_BUDGET_BYTES / (BYTES_PER_NODE * Math.max(1, mesh.nodes)))));
    this.solid.setIndex(new BufferAttribute(this.mesh.triangle_nodes, 1));
    this.sphere = sphereAround(mesh.undeformed_mm);
    this.table = new DataTexture(new Uint8Array(1024), 256, 1, RGBAFormat);
    this.table.minFilter = this.table.magFilter = LinearFilter;
    const shared = {
      as_filmed: this.as_filmed, quantity: { value: 0 }, table: { value: this.table }, range: { value: new Vector2(0, 1) },
      tolerance: { value: 0 }, opacity: { value: 1 }, shade: { value: 1 }, bands: { value: 0 }, ground: { value: new Color(0.5, 0.5, 0.5) }, pixel: { value: 1 },
    };
    const blended = { transparent: true, depthFunc: LessEqualDepth, depthWrite: true };
    this.plain = shader(SURFACE_VERTEX, SURFACE_FRAGMENT, { uniforms: { ...shared, dim: { value: 0 } }, ...blended });
    this.dimmed = shader(SURFACE_VERTEX, SURFACE_FRAGMENT, { uniforms: { ...shared, dim: { value: 1 } }, ...blended });
    this.depth = shader(SURFACE_VERTEX, EDGE_FRAGMENT, { uniforms: { as_filmed: this.as_filmed, quantity: { value: 0 }, ink: { value: new Vector4() } }, colorWrite: false });
    this.edge = shader(EDGE_VERTEX, EDGE_FRAGMENT, { uniforms: { as_filmed: this.as_filmed, ink: { value: new Vector4(1, 1, 1, 0.5) } }, transparent: true, depthWrite: false });
    this.picker = shader(PICK_VERTEX, PICK_FRAGMENT, { uniforms: { as_filmed: this.as_filmed } });
    this.surface = new Drawn(this.solid, this.plain);
    const scene = (thing: Drawn | LineSegments) => { thing.frustumCulled = false; const s = new Scene(); s.add(thing); return s; };
    this.scenes = {
      depth: scene(new Drawn(this.solid, this.depth)),
      colour: scene(this.surface),
      edges: scene(new LineSegments(this.lines, this.edge)),
      pick: scene(new Drawn(this.solid, this.picker)),
    };
  }

  has(moment: number): boolean {
    return this.slots.some((slot) => slot.moment === moment);
  }

  /** How many moments fit at once. */
  get room(): number {
    return this.most_slots;
  }

  state(moment: number): MeshState | null {
    const slot = this.slots.find((each) => each.moment === moment);
    if (!slot) return null;
    const [simulated_mm, deviation_mm, sigma_mm, plastic_strain, seen] = slot.attributes.map((each) => each.array as Float32Array<ArrayBuffer>);
    return { simulated_mm: simulated_mm!, deviation_mm: deviation_mm!, sigma_mm: sigma_mm!, plastic_strain: plastic_strain!, seen: seen!, alive: slot.alive };
  }

  put(moment: number, state: MeshState): void {
    let slot = this.slots.find((each) => each.moment === moment);
    if (!slot && this.slots.length < this.most_slots) {
      slot = { moment, used: 0, alive: state.alive, attributes: ATTRIBUTES.map(([, name, size]) => new BufferAttribute(state[name], size).setUsage(DynamicDrawUsage)) };
      this.slots.push(slot);
    } else {
      slot ??= this.slots.reduce((oldest, each) => (each.used < oldest.used ? each : oldest));
      slot.attributes.forEach((attribute, at) => {
        attribute.array = state[ATTRIBUTES[at]![1]];
        attribute.needsUpdate = true;
      });
      slot.moment = moment;
      slot.alive = state.alive;
    }
    slot.used = ++this.clock;
  }

  /** Makes a moment the one that is drawn; false when it is not there yet. */
  show(moment: number): boolean {
    const slot = this.slots.find((each) => each.moment === moment);
    if (!slot) return false;
    slot.used = ++this.clock;
    ATTRIBUTES.forEach(([name], at) => {
      this.solid.setAttribute(name, slot.attributes[at]!);
      this.lines.setAttribute(name, slot.attributes[at]!);
    });
    this.leaveOutEroded(slot.alive);
    return true;
  }

  private leaveOutEroded(alive: MeshState["alive"]): void {
    const before = this.alive;
    this.alive = alive;
    if (alive === before || (alive && before && alive.every((each, element) => each === before[element]))) return;
    this.solid.setIndex(new BufferAttribute(alive ? livingTriangles(this.mesh, alive) : this.mesh.triangle_nodes, 1));
    this.has_lines = false;
  }

  colourBy(colouring: Colouring): void {
    const uniforms = this.plain.uniforms;
    uniforms["quantity"]!.value = QUANTITIES.indexOf(colouring.quantity);
    (uniforms["range"]!.value as Vector2).set(colouring.low, colouring.high);
    uniforms["tolerance"]!.value = colouring.tolerance_mm;
    uniforms["bands"]!.value = colouring.bands;
    if (this.table_name !== colouring.map) {
      this.table_name = colouring.map;
      (this.table.image.data as Uint8Array).set(colourTable(colouring.map));
      this.table.needsUpdate = true;
    }
  }

  /** `selected` null: all parts alike. `hidden` parts are neither drawn nor picked. */
  showParts(selected: number | null, hidden: ReadonlySet<number>): void {
    this.solid.clearGroups();
    if (selected === null && hidden.size === 0) {
      this.surface.material = this.plain;
      return;
    }
    this.surface.material = [this.plain, this.dimmed, this.hidden];
    for (const { part, start, count } of this.part_ranges) {
      this.solid.addGroup(start, count, hidden.has(part) ? 2 : selected === null || part === selected ? 0 : 1);
    }
  }

  /** Draws the coloured surface; hidden surfaces do not shine through a translucent one. */
  drawSurface(on: DrawOn, camera: Camera, look: { opacity: number; shade: number; as_filmed: number; ground: Color; pixel: number }): void {
    const uniforms = this.plain.uniforms;
    this.as_filmed.value = look.as_filmed;
    uniforms["opacity"]!.value = look.opacity;
    uniforms["shade"]!.value = look.shade;
    uniforms["pixel"]!.value = look.pixel;
    (uniforms["ground"]!.value as Color).copy(look.ground);
    if (look.opacity < 1) on.render(this.scenes.depth, camera);
    on.render(this.scenes.colour, camera);
  }

  /** Only the depth, so that lines behind the surface are hidden. */
  drawDepth(on: DrawOn, camera: Camera, as_filmed: number): void {
    this.as_filmed.value = as_filmed;
    on.render(this.scenes.depth, camera);
  }

  drawEdges(on: DrawOn, camera: Camera, as_filmed: number, ink: Color, alpha: number): void {
    if (this.mesh.elements > MOST_ELEMENTS_WITH_EDGES) return;
    if (!this.has_lines) {
      this.has_lines = true;
      this.edges ??= elementEdges(this.mesh);
      this.lines.setIndex(new BufferAttribute(this.alive ? livingEdges(this.mesh, this.edges, this.alive) : this.edges, 1));
    }
    this.as_filmed.value = as_filmed;
    (this.edge.uniforms["ink"]!.value as Vector4).set(ink.r, ink.g, ink.b, alpha);
    on.render(this.scenes.edges, camera);
  }

  /** A scene of the surface in a material of its own; `rest` is where the nodes were before anything moved. */
  sceneIn(material: RawShaderMaterial): Scene {
    if (!this.solid.getAttribute("rest")) this.solid.setAttribute("rest", new BufferAttribute(this.mesh.undeformed_mm, 3));
    const drawn = new Drawn(this.solid, material);
    drawn.frustumCulled = false;
    const scene = new Scene();
    scene.add(drawn);
    return scene;
  }

  drawPick(on: DrawOn, camera: Camera, as_filmed: number): void {
    this.as_filmed.value = as_filmed;
    on.render(this.scenes.pick, camera);
  }

  dispose(): void {
    this.solid.dispose();
    this.lines.dispose();
    this.table.dispose();
    for (const material of [this.plain, this.dimmed, this.hidden, this.depth, this.edge, this.picker]) material.dispose();
  }
}

/** What a renderer is to the model. */
export interface DrawOn {
  render(scene: Scene, camera: Camera): void;
}

export type RimStyle = "plain" | "uncertain" | "selected";

export interface Rim {
  /** Node numbers, two an edge. */
  nodes: Uint32Array;
  style: RimStyle;
}

const STYLES: readonly RimStyle[] = ["plain", "uncertain", "selected"];
const RIM_ATTRIBUTES = [["from", 3], ["from_deviation", 3], ["to", 3], ["to_deviation", 3], ["style", 1], ["seen", 1]] as const;

/** Corners of the rectangle of an edge: which end, which side. */
const CORNERS = [0, -1, 0, 1, -1, 0, 1, 1, 0, 0, 1, 0];
const TRIANGLES = [0, 1, 2, 0, 2, 3];
const CORNERS_OF_EDGE = CORNERS.length / 3;

/**
 * Wide lines around regions, all in one draw; positions are given anew for each moment. Every corner of an edge's rectangle
 * has all of the edge's numbers: instances would say them once, but a processor that draws takes each for a draw of its own.
 */
export class RimLines {
  private readonly geometry = new BufferGeometry();
  private readonly material: RawShaderMaterial;
  private readonly scene = new Scene();
  private room = 0;
  private edges = 0;

  constructor() {
    this.material = shader(RIM_VERTEX, RIM_FRAGMENT, {
      uniforms: { as_filmed: { value: 1 }, size: { value: new Vector2(1, 1) }, pixel: { value: 1 }, ink: { value: new Color() } },
      transparent: true, depthWrite: false,
    });
    const drawn = new Drawn(this.geometry, this.material);
    drawn.frustumCulled = false;
    this.scene.add(drawn);
  }

  get empty(): boolean {
    return this.edges === 0;
  }

  set(rims: readonly Rim[], state: MeshState): void {
    this.edges = rims.reduce((sum, rim) => sum + rim.nodes.length / 2, 0);
    if (this.edges > this.room) this.makeRoom();
    this.geometry.setDrawRange(0, TRIANGLES.length * this.edges);
    if (this.edges === 0) return;
    const attributes = RIM_ATTRIBUTES.map(([name]) => this.geometry.getAttribute(name) as BufferAttribute);
    const [from, from_deviation, to, to_deviation, style_of, seen_of] = attributes;
    let at = 0;
    for (const rim of rims) {
      const style = STYLES.indexOf(rim.style);
      for (let edge = 0; edge < rim.nodes.length; edge += 2) {
        const [a, b] = [rim.nodes[edge]!, rim.nodes[edge + 1]!];
        const seen = Math.max(state.seen[a]!, state.seen[b]!);
        for (let corner = 0; corner < CORNERS_OF_EDGE; corner++, at++) {
          copyNode(from!, at, state.simulated_mm, a);
          copyNode(from_deviation!, at, state.deviation_mm, a);
          copyNode(to!, at, state.simulated_mm, b);
          copyNode(to_deviation!, at, state.deviation_mm, b);
          style_of!.array[at] = style;
          seen_of!.array[at] = seen;
        }
      }
    }
    for (const attribute of attributes) attribute.needsUpdate = true;
  }

  private makeRoom(): void {
    this.room = Math.max(256, 2 * this.edges);
    // A geometry frees its buffers only when it is disposed of; three makes them anew on the next draw.
    this.geometry.dispose();
    const corners = CORNERS_OF_EDGE * this.room;
    const repeat = (values: readonly number[], step: number) =>
      Array.from({ length: values.length * this.room }, (_, i) => values[i % values.length]! + step * Math.floor(i / values.length));
    this.geometry.setIndex(new BufferAttribute(new Uint32Array(repeat(TRIANGLES, CORNERS_OF_EDGE)), 1));
    this.geometry.setAttribute("position", new BufferAttribute(new Float32Array(repeat(CORNERS, 0)), 3));
    for (const [name, size] of RIM_ATTRIBUTES) {
      this.geometry.setAttribute(name, new BufferAttribute(new Float32Array(size * corners), size).setUsage(DynamicDrawUsage));
    }
  }

  draw(on: DrawOn, camera: Camera, look: { ink: Color; pixel: number; size: [number, number]; as_filmed: number }): void {
    if (this.empty) return;
    const uniforms = this.material.uniforms;
    (uniforms["size"]!.value as Vector2).set(...look.size);
    (uniforms["ink"]!.value as Color).copy(look.ink);
    uniforms["pixel"]!.value = look.pixel;
    uniforms["as_filmed"]!.value = look.as_filmed;
    on.render(this.scene, camera);
  }

  dispose(): void {
    this.geometry.dispose();
    this.material.dispose();
  }
}

function copyNode(to: BufferAttribute, at: number, from: Float32Array, node: number): void {
  for (let axis = 0; axis < 3; axis++) to.array[3 * at + axis] = from[3 * node + axis]!;
}

/** The same mesh with its triangles in the order of their parts (counting sort), so that a part is one range. */
function sortedByPart(mesh: Mesh): Mesh {
  const parts = [...new Set(mesh.element_part)].sort((a, b) => a - b);
  if (parts.length < 2) return mesh;
  const rank = new Map(parts.map((part, at) => [part, at]));
  const start = new Uint32Array(parts.length + 1);
  const of = (triangle: number) => rank.get(mesh.element_part[mesh.triangle_element[triangle]!]!)!;
  for (let triangle = 0; triangle < mesh.triangles; triangle++) start[of(triangle) + 1]! += 1;
  for (let part = 0; part < parts.length; part++) start[part + 1]! += start[part]!;
  const triangle_nodes = new Uint32Array(3 * mesh.triangles);
  const triangle_element = new Uint32Array(mesh.triangles);
  for (let triangle = 0; triangle < mesh.triangles; triangle++) {
    const to = start[of(triangle)]!++;
    triangle_element[to] = mesh.triangle_element[triangle]!;
    for (let corner = 0; corner < 3; corner++) triangle_nodes[3 * to + corner] = mesh.triangle_nodes[3 * triangle + corner]!;
  }
  return { ...mesh, triangle_nodes, triangle_element };
}

function rangesByPart(mesh: Mesh): { part: number; start: number; count: number }[] {
  const ranges: { part: number; start: number; count: number }[] = [];
  for (let triangle = 0; triangle < mesh.triangles; triangle++) {
    const part = mesh.element_part[mesh.triangle_element[triangle]!]!;
    const last = ranges.at(-1);
    if (last && last.part === part) last.count += 3;
    else ranges.push({ part, start: 3 * triangle, count: 3 });
  }
  return ranges;
}

function sphereAround(points: Float32Array): Sphere {
  const low = new Vector3(Infinity, Infinity, Infinity);
  const high = new Vector3(-Infinity, -Infinity, -Infinity);
  const point = new Vector3();
  for (let at = 0; at + 2 < points.length; at += 3) {
    point.set(points[at]!, points[at + 1]!, points[at + 2]!);
    low.min(point);
    high.max(point);
  }
  if (points.length === 0) return new Sphere(new Vector3(), 1);
  const centre = low.clone().add(high).multiplyScalar(0.5);
  return new Sphere(centre, Math.max(1e-6, high.distanceTo(low) / 2));
}
