/** Which node lies under the pointer: the mesh is drawn into one pixel with its node numbers for colours. */
import { NearestFilter, WebGLRenderTarget, type Camera } from "three";
import type { MeshModel } from "./meshmodel";
import type { Stage } from "./stage";

let target: WebGLRenderTarget | null = null;

/** `camera` must show exactly the one pixel. */
export function nodeUnder(stage: Stage, model: MeshModel, camera: Camera, as_filmed: number): number | null {
  target ??= new WebGLRenderTarget(1, 1, { minFilter: NearestFilter, magFilter: NearestFilter });
  const { renderer } = stage;
  const bytes = new Uint8Array(4);
  renderer.setRenderTarget(target);
  renderer.setClearColor(0, 0);
  renderer.clear();
  model.drawPick(renderer, camera, as_filmed);
  renderer.readRenderTargetPixels(target, 0, 0, 1, 1, bytes);
  renderer.setRenderTarget(null);
  const number = bytes[0]! + bytes[1]! * 2 ** 8 + bytes[2]! * 2 ** 16 + bytes[3]! * 2 ** 24;
  return number === 0 || number > model.mesh.nodes ? null : number - 1;
}
