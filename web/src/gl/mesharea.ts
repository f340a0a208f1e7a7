/** The mesh in space: turned with the pointer or the keyboard, coloured by deviation or plastic strain. */
import { Color, PerspectiveCamera, Vector3 } from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import type { MeshModel, RimLines } from "./meshmodel";
import { nodeUnder } from "./pick";
import type { Rectangle, Stage, StageArea } from "./stage";

export interface MeshLook {
  /** How much of the deviation is in the shape: 0 as simulated, 1 as filmed, more exaggerates. */
  as_filmed: number;
  edges: boolean;
  rims: RimLines | null;
  ground: Color;
  ink: Color;
  accent: Color;
}

export const DIRECTIONS = { iso: [1, -1, 0.7], x: [1, 0, 0.0001], y: [0, -1, 0.0001], z: [0, -0.0001, 1] } as const;
export type Direction = keyof typeof DIRECTIONS;

export class MeshArea implements StageArea {
  dirty = true;
  readonly camera = new PerspectiveCamera(28, 1, 1, 1000);
  private readonly controls: OrbitControls;
  private fitted = false;

  constructor(
    readonly element: HTMLElement,
    private readonly look: () => MeshLook,
    private readonly model: () => MeshModel | null,
    changed: () => void,
  ) {
    this.camera.up.set(0, 0, 1);
    this.controls = new OrbitControls(this.camera, element);
    this.controls.enableDamping = false;
    this.controls.zoomToCursor = true;
    this.controls.addEventListener("change", changed);
  }

  fit(direction: Direction = "iso"): void {
    const model = this.model();
    if (!model) return;
    const { center, radius } = model.sphere;
    const aspect = this.element.clientWidth / Math.max(1, this.element.clientHeight);
    const half = (this.camera.fov * Math.PI) / 360;
    const distance = (0.97 * radius) / Math.sin(Math.min(half, Math.atan(Math.tan(half) * aspect)));
    this.controls.target.copy(center);
    this.camera.position.copy(center).add(new Vector3(...DIRECTIONS[direction]).normalize().multiplyScalar(distance));
    this.controls.update();
    this.fitted = true;
  }

  /** Turns by angles, rad: for the keyboard. */
  turn(azimuth: number, polar: number): void {
    const offset = this.camera.position.clone().sub(this.controls.target);
    offset.applyAxisAngle(this.camera.up, azimuth);
    const side = new Vector3().crossVectors(this.camera.up, offset).normalize();
    const turned = offset.clone().applyAxisAngle(side, polar);
    if (Math.abs(turned.clone().normalize().z) < 0.995) offset.copy(turned);
    this.camera.position.copy(this.controls.target).add(offset);
    this.controls.update();
  }

  draw(stage: Stage, rectangle: Rectangle): void {
    const look = this.look();
    stage.clear(rectangle, look.ground);
    const model = this.model();
    if (!model) return;
    if (!this.fitted) this.fit();
    this.camera.aspect = rectangle.width / rectangle.height;
    this.tighten(model);
    model.drawSurface(stage.renderer, this.camera, { opacity: 1, shade: 0.8, as_filmed: look.as_filmed, ground: look.ground, pixel: stage.ratio });
    if (look.edges && stage.draws_fine_lines) model.drawEdges(stage.renderer, this.camera, look.as_filmed, look.ink, 0.16);
    look.rims?.draw(stage.renderer, this.camera, { ink: look.accent, pixel: stage.ratio, size: [rectangle.width, rectangle.height], as_filmed: look.as_filmed });
  }

  /** The depth buffer is spent on the mesh alone. */
  private tighten(model: MeshModel): void {
    const { center, radius } = model.sphere;
    const distance = this.camera.position.distanceTo(center);
    this.camera.near = Math.max(distance - 2 * radius, distance / 500, radius / 500);
    this.camera.far = distance + 2 * radius;
    this.camera.updateProjectionMatrix();
  }

  nodeAt(stage: Stage, x: number, y: number): number | null {
    const model = this.model();
    if (!model) return null;
    const { clientWidth, clientHeight } = this.element;
    this.camera.setViewOffset(clientWidth, clientHeight, x, y, 1, 1);
    const node = nodeUnder(stage, model, this.camera, this.look().as_filmed);
    this.camera.clearViewOffset();
    return node;
  }

  dispose(): void {
    this.controls.dispose();
  }
}
