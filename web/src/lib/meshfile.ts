/**
 * The mesh and its states as the service sends them (little-endian):
 * mesh:  u32 nodes N, triangles M, elements E, 0; f32 undeformed_mm[3N]; u32 triangle_nodes[3M]; u32 triangle_element[M];
 *        i32 element_part[E]; u32 element_id[E].
 * state: f32 simulated_mm[3N]; f32 deviation_mm[3N] (NaN = not known); f32 sigma_mm[N]; f32 plastic_strain[N];
 *        u8 cameras that measured the node[N] (0 with a deviation: estimated; not there in reviews of earlier versions);
 *        where something has eroded, u8 1 for each element that is still there[E].
 */
export interface Mesh {
  nodes: number;
  triangles: number;
  elements: number;
  undeformed_mm: Float32Array<ArrayBuffer>;
  triangle_nodes: Uint32Array<ArrayBuffer>;
  triangle_element: Uint32Array<ArrayBuffer>;
  element_part: Int32Array<ArrayBuffer>;
  element_id: Uint32Array<ArrayBuffer>;
}

export interface MeshState {
  simulated_mm: Float32Array<ArrayBuffer>;
  /** 0 where not known; `sigma_mm` is then -1. */
  deviation_mm: Float32Array<ArrayBuffer>;
  /** One standard deviation; -1 where not known (WebGL does not promise to carry NaN). */
  sigma_mm: Float32Array<ArrayBuffer>;
  plastic_strain: Float32Array<ArrayBuffer>;
  /** 1 where a camera measured the node, 0 where its deviation follows from a study or from the surroundings. */
  seen: Float32Array<ArrayBuffer>;
  /** By element: 0 where it has eroded. Null where all are there. */
  alive: Uint8Array<ArrayBuffer> | null;
}

const HEAD_BYTES = 16;

export function readMesh(file: ArrayBuffer): Mesh {
  if (file.byteLength < HEAD_BYTES) throw new Error(`the mesh has ${file.byteLength} bytes; at least ${HEAD_BYTES} were expected`);
  const [nodes = 0, triangles = 0, elements = 0] = new Uint32Array(file, 0, 4);
  const expected = HEAD_BYTES + 4 * (3 * nodes + 4 * triangles + 2 * elements);
  if (file.byteLength !== expected) {
    throw new Error(`the mesh of ${nodes} nodes, ${triangles} triangles and ${elements} elements has ${file.byteLength} bytes; ${expected} were expected`);
  }
  let at = HEAD_BYTES;
  const next = (length: number) => {
    const from = at;
    at += 4 * length;
    return [file, from, length] as const;
  };
  return {
    nodes, triangles, elements,
    undeformed_mm: new Float32Array(...next(3 * nodes)),
    triangle_nodes: new Uint32Array(...next(3 * triangles)),
    triangle_element: new Uint32Array(...next(triangles)),
    element_part: new Int32Array(...next(elements)),
    element_id: new Uint32Array(...next(elements)),
  };
}

type Size = Pick<Mesh, "nodes" | "elements">;

/** True where a state says which nodes a camera measured. */
export const tellsSeen = (file: ArrayBuffer, { nodes }: Size) => file.byteLength >= 33 * nodes && nodes > 0;

export function readState(file: ArrayBuffer, size: Size): MeshState {
  const { nodes, elements } = size;
  const bare = 4 * 8 * nodes;
  const tells = tellsSeen(file, size);
  const erodes = tells && elements > 0 && file.byteLength === bare + nodes + elements;
  if (!erodes && file.byteLength !== (tells ? bare + nodes : bare)) {
    throw new Error(`a state of ${nodes} nodes has ${file.byteLength} bytes; ${bare + nodes} were expected, or ${bare + nodes + elements} where some of the ${elements} elements have eroded`);
  }
  const state = {
    simulated_mm: new Float32Array(file, 0, 3 * nodes),
    deviation_mm: new Float32Array(file, 12 * nodes, 3 * nodes),
    sigma_mm: new Float32Array(file, 24 * nodes, nodes),
    plastic_strain: new Float32Array(file, 28 * nodes, nodes),
    seen: tells ? Float32Array.from(new Uint8Array(file, bare, nodes), (cameras) => Math.min(cameras, 1)) : new Float32Array(nodes).fill(1),
    alive: erodes ? new Uint8Array(file, bare + nodes, elements) : null,
  };
  const { deviation_mm, sigma_mm } = state;
  for (let node = 0; node < nodes; node++) {
    const measured = Number.isFinite(sigma_mm[node]) && Number.isFinite(deviation_mm[3 * node]! + deviation_mm[3 * node + 1]! + deviation_mm[3 * node + 2]!);
    if (measured) continue;
    sigma_mm[node] = -1;
    deviation_mm.fill(0, 3 * node, 3 * node + 3);
  }
  return state;
}

/** The nodes of the triangles, those of elements that have eroded drawn together to a point, which no pixel shows. */
export function livingTriangles({ triangle_nodes, triangle_element }: Mesh, alive: Uint8Array): Uint32Array<ArrayBuffer> {
  return triangle_nodes.map((node, at) => (alive[triangle_element[Math.floor(at / 3)]!] ? node : triangle_nodes[at - (at % 3)]!));
}

/** The edges that an element which has not eroded still has, in the order of `edges`. */
export function livingEdges(mesh: Mesh, edges: Uint32Array, alive: Uint8Array): Uint32Array<ArrayBuffer> {
  const held = new Set<number>();
  mesh.triangle_nodes.forEach((a, at) => {
    if (!alive[mesh.triangle_element[Math.floor(at / 3)]!]) return;
    const b = mesh.triangle_nodes[at % 3 === 2 ? at - 2 : at + 1]!;
    held.add(Math.min(a, b) * mesh.nodes + Math.max(a, b));
  });
  const living: number[] = [];
  for (let at = 0; at + 1 < edges.length; at += 2) {
    const [a, b] = [edges[at]!, edges[at + 1]!];
    if (held.has(Math.min(a, b) * mesh.nodes + Math.max(a, b))) living.push(a, b);
  }
  return Uint32Array.from(living);
}

/** For each node the index of a part that it belongs to (the last one wins on a seam), -1 where none. */
export function nodeParts(mesh: Mesh): Int32Array<ArrayBuffer> {
  const parts = new Int32Array(mesh.nodes).fill(-1);
  for (let triangle = 0; triangle < mesh.triangles; triangle++) {
    const part = mesh.element_part[mesh.triangle_element[triangle]!]!;
    for (let corner = 0; corner < 3; corner++) parts[mesh.triangle_nodes[3 * triangle + corner]!] = part;
  }
  return parts;
}

/** For each number other than 0 the rim of the elements that carry it: node numbers, two an edge, of the edges met once. */
export function rimsByNumber(mesh: Mesh, number_of_element: ArrayLike<number>): Map<number, Uint32Array<ArrayBuffer>> {
  const seen = new Map<number, Map<number, [number, number] | null>>();
  for (let triangle = 0; triangle < mesh.triangles; triangle++) {
    const number = number_of_element[mesh.triangle_element[triangle]!]!;
    if (number === 0) continue;
    let edges = seen.get(number);
    if (!edges) seen.set(number, (edges = new Map()));
    for (let corner = 0; corner < 3; corner++) {
      const a = mesh.triangle_nodes[3 * triangle + corner]!;
      const b = mesh.triangle_nodes[3 * triangle + ((corner + 1) % 3)]!;
      const key = Math.min(a, b) * mesh.nodes + Math.max(a, b);
      edges.set(key, edges.has(key) ? null : [a, b]);
    }
  }
  return new Map([...seen].map(([number, edges]) => [number, Uint32Array.from([...edges.values()].flatMap((edge) => edge ?? []))]));
}

/** The edges of the elements, each once: an edge between two triangles of the same element is a diagonal and left out. */
export function elementEdges(mesh: Mesh): Uint32Array<ArrayBuffer> {
  const owner = new Map<number, number>();
  const diagonal = new Set<number>();
  for (let triangle = 0; triangle < mesh.triangles; triangle++) {
    const element = mesh.triangle_element[triangle]!;
    for (let corner = 0; corner < 3; corner++) {
      const a = mesh.triangle_nodes[3 * triangle + corner]!;
      const b = mesh.triangle_nodes[3 * triangle + ((corner + 1) % 3)]!;
      const key = Math.min(a, b) * mesh.nodes + Math.max(a, b);
      if (owner.get(key) === element) diagonal.add(key);
      else if (!owner.has(key)) owner.set(key, element);
    }
  }
  const edges: number[] = [];
  for (const key of owner.keys()) if (!diagonal.has(key)) edges.push(Math.floor(key / mesh.nodes), key % mesh.nodes);
  return new Uint32Array(edges);
}
