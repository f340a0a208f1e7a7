import { expect, test } from "vitest";
import { elementEdges, livingEdges, livingTriangles, nodeParts, readMesh, readState, rimsByNumber, tellsSeen } from "./meshfile";

/** Two quads side by side: 3 4 5 over 0 1 2. */
function twoQuads(): ArrayBuffer {
  const file = new ArrayBuffer(16 + 4 * (18 + 16 + 4));
  new Uint32Array(file, 0, 4).set([6, 4, 2, 0]);
  new Float32Array(file, 16, 18).set([0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 1, 0, 1, 1, 0, 2, 1, 0]);
  new Uint32Array(file, 88, 12).set([0, 1, 4, 0, 4, 3, 1, 2, 5, 1, 5, 4]);
  new Uint32Array(file, 136, 4).set([0, 0, 1, 1]);
  new Int32Array(file, 152, 2).set([7, 8]);
  new Uint32Array(file, 160, 2).set([100, 101]);
  return file;
}

test("a mesh is read as it was written, and a cut one is refused with both sizes", () => {
  const mesh = readMesh(twoQuads());
  expect([mesh.nodes, mesh.triangles, mesh.elements]).toEqual([6, 4, 2]);
  expect([...mesh.element_id]).toEqual([100, 101]);
  expect([...nodeParts(mesh)]).toEqual([7, 8, 8, 7, 8, 8]);
  expect(() => readMesh(twoQuads().slice(0, 160))).toThrow(/has 160 bytes; 168 were expected/);
});

test("the rim of one quad is its four sides, of both the outer six", () => {
  const mesh = readMesh(twoQuads());
  expect(rimsByNumber(mesh, [3, 0]).get(3)?.length).toBe(8);
  expect(rimsByNumber(mesh, [3, 3]).get(3)?.length).toBe(12);
  expect([...rimsByNumber(mesh, [1, 2]).keys()]).toEqual([1, 2]);
  expect(rimsByNumber(mesh, [0, 0]).size).toBe(0);
});

test("element edges leave the diagonals out", () => {
  expect(elementEdges(readMesh(twoQuads())).length).toBe(2 * 7);
});

test("what was not measured is marked and never a number", () => {
  const file = new Float32Array(16);
  file.set([1, 2, 3, 4, 5, 6, Number.NaN, Number.NaN, Number.NaN, 1, 1, 1, Number.NaN, 0.5, 0, 0.1]);
  const state = readState(file.buffer, { nodes: 2, elements: 1 });
  expect([...state.sigma_mm]).toEqual([-1, 0.5]);
  expect([...state.deviation_mm]).toEqual([0, 0, 0, 1, 1, 1]);
});

test("a state says which nodes a camera measured; one of an earlier version does not, and a cut one is refused", () => {
  const size = { nodes: 3, elements: 2 };
  const file = new ArrayBuffer(33 * 3);
  new Uint8Array(file, 32 * 3).set([0, 2, 1]);
  expect([tellsSeen(file, size), ...readState(file, size).seen]).toEqual([true, 0, 1, 1]);
  const before = new ArrayBuffer(32 * 3);
  expect([tellsSeen(before, size), ...readState(before, size).seen]).toEqual([false, 1, 1, 1]);
  expect(() => readState(new ArrayBuffer(98), size)).toThrow(/has 98 bytes; 99 were expected/);
});

test("what has eroded is neither surface nor edge", () => {
  const mesh = readMesh(twoQuads());
  const file = new ArrayBuffer(33 * 6 + 2);
  new Uint8Array(file, 33 * 6).set([1, 0]);
  const { alive } = readState(file, mesh);
  expect([...alive!]).toEqual([1, 0]);
  expect(readState(file.slice(0, 33 * 6), mesh).alive).toBe(null);
  expect([...livingTriangles(mesh, alive!)]).toEqual([0, 1, 4, 0, 4, 3, 1, 1, 1, 1, 1, 1]);
  expect(livingEdges(mesh, elementEdges(mesh), alive!).length).toBe(2 * 4);
});
