/** A camera's picture area: the film on the lens-free canvas, the predicted picture, and the mesh seen by that camera. */
import {
  BufferAttribute, BufferGeometry, Camera, Color, GLSL3, LinearFilter, Mesh, NearestFilter, RawShaderMaterial, Scene,
  Texture, Vector2, Vector4,
} from "three";
import type { CanvasCamera } from "../lib/contract";
import { clipFromView, pixelFromWorld, viewFromWorld, type Window } from "../lib/pinhole";
import { Carried } from "./carried";
import type { MeshModel, RimLines } from "./meshmodel";
import { nodeUnder } from "./pick";
import { PICTURE_FRAGMENT, PICTURE_VERTEX } from "./shaders";
import type { Rectangle, Stage, StageArea } from "./stage";

export const COMPARISONS = ["film", "predicted", "onion", "wipe", "blink", "beside"] as const;
export type Comparison = (typeof COMPARISONS)[number];

/** What lies over the pictures; the same for all cameras. */
export interface Overlay {
  comparison: Comparison;
  /** Onion: share of the predicted picture. */
  onion: number;
  /** Wipe: where the border is, as a share of the canvas; film left of it. */
  wipe: number;
  blink_on: boolean;
  colours: boolean;
  opacity: number;
  edges: boolean;
  rims: RimLines | null;
  ground: Color;
  accent: Color;
}

export interface Pictures {
  film: ImageBitmap | null;
  predicted: ImageBitmap | null;
  /** The first picture, when the predicted one is to be drawn here from it and the mesh as it stands. */
  first?: ImageBitmap | null;
}

class PictureTexture {
  readonly texture = new Texture();
  private shown: ImageBitmap | null = null;

  constructor() {
    this.texture.flipY = false;
    this.texture.generateMipmaps = false;
    this.texture.minFilter = LinearFilter;
  }

  show(bitmap: ImageBitmap, close_up: boolean): void {
    const filter = close_up ? NearestFilter : LinearFilter;
    if (this.texture.magFilter !== filter) {
      this.texture.magFilter = filter;
      this.texture.needsUpdate = this.shown !== null;
    }
    if (bitmap === this.shown) return;
    // Storage on the card has a fixed size.
    if (this.shown && (this.shown.width !== bitmap.width || this.shown.height !== bitmap.height)) this.texture.dispose();
    this.shown = bitmap;
    this.texture.image = bitmap;
    this.texture.needsUpdate = true;
  }
}

/** Screen pixels per canvas pixel from which on single pixels are shown as squares. */
const CLOSE_UP = 3;
const LARGEST_ZOOM = 40;
/** Noted once in the browser's own time line, for measuring. */
const FIRST_PICTURE = "first picture";

export class FilmArea implements StageArea {
  dirty = true;
  zoom = 1;
  private centre: [number, number];
  private readonly film = new PictureTexture();
  private readonly predicted = new PictureTexture();
  private readonly material: RawShaderMaterial;
  private readonly scene = new Scene();
  private readonly camera = new Camera();
  private readonly nothing = new Texture();
  private carried: Carried | null = null;

  constructor(
    readonly element: HTMLElement,
    readonly canvas: CanvasCamera,
    private readonly overlay: () => Overlay,
    private readonly pictures: () => Pictures,
    private readonly model: () => MeshModel | null,
  ) {
    this.centre = [(canvas.width - 1) / 2, (canvas.height - 1) / 2];
    const triangle = new BufferGeometry().setAttribute("position", new BufferAttribute(new Float32Array([-1, -1, 0, 3, -1, 0, -1, 3, 0]), 3));
    this.material = new RawShaderMaterial({
      glslVersion: GLSL3, vertexShader: PICTURE_VERTEX, fragmentShader: PICTURE_FRAGMENT, depthTest: false, depthWrite: false,
      uniforms: {
        film: { value: this.nothing }, predicted: { value: this.nothing }, has: { value: new Vector2() }, window: { value: new Vector4() },
        canvas: { value: new Vector2(canvas.width, canvas.height) }, ground: { value: new Color() }, mixing: { value: new Vector2() }, wipe: { value: 2 },
      },
    });
    const quad = new Mesh(triangle, this.material);
    quad.frustumCulled = false;
    this.scene.add(quad);
    this.camera.matrixAutoUpdate = false;
    this.camera.matrixWorldAutoUpdate = false;
    this.camera.matrixWorldInverse.fromArray(viewFromWorld(canvas));
  }

  /** One pane, or two side by side. */
  private panes(width: number): { left: number; width: number; layer: "film" | "predicted" | "both" }[] {
    const { comparison } = this.overlay();
    if (comparison !== "beside") return [{ left: 0, width, layer: "both" }];
    const half = Math.floor(width / 2) - 1;
    return [{ left: 0, width: half, layer: "film" }, { left: half + 2, width: width - half - 2, layer: "predicted" }];
  }

  /** The part of the canvas that a pane of this size shows, px of the canvas. */
  window(width: number, height: number): Window {
    const scale = Math.min(width / this.canvas.width, height / this.canvas.height) * this.zoom;
    const [w, h] = [width / scale, height / scale];
    const [x, y] = this.centre;
    return { x0: x - w / 2, y0: y - h / 2, x1: x + w / 2, y1: y + h / 2 };
  }

  draw(stage: Stage, rectangle: Rectangle): void {
    const overlay = this.overlay();
    const pictures = this.pictures();
    stage.clear(rectangle, overlay.ground);
    for (const pane of this.panes(rectangle.width)) {
      const at = { ...rectangle, x: rectangle.x + pane.left, width: pane.width };
      stage.renderer.setViewport(at.x, at.y, at.width, at.height);
      stage.renderer.setScissor(at.x, at.y, at.width, at.height);
      const window = this.window(at.width, at.height);
      this.drawPictures(stage, overlay, pictures, window, pane.layer, at.width / (window.x1 - window.x0));
      this.drawMesh(stage, overlay, window, pane.layer, at);
    }
  }

  private drawPictures(stage: Stage, overlay: Overlay, pictures: Pictures, window: Window, layer: "film" | "predicted" | "both", shown: number): void {
    const uniforms = this.material.uniforms;
    const close_up = shown * (stage.whole_ratio / stage.ratio) > CLOSE_UP;
    if (pictures.film) {
      this.film.show(pictures.film, close_up);
      if (performance.getEntriesByName(FIRST_PICTURE).length === 0) performance.mark(FIRST_PICTURE);
    }
    if (pictures.predicted) this.predicted.show(pictures.predicted, close_up);
    uniforms["film"]!.value = pictures.film ? this.film.texture : this.nothing;
    const predicted = this.carry(stage, pictures, shown) ?? (pictures.predicted ? this.predicted.texture : null);
    uniforms["predicted"]!.value = predicted ?? this.nothing;
    (uniforms["has"]!.value as Vector2).set(pictures.film ? 1 : 0, predicted ? 1 : 0);
    (uniforms["window"]!.value as Vector4).set(window.x0, window.y0, window.x1, window.y1);
    (uniforms["ground"]!.value as Color).copy(overlay.ground);
    uniforms["wipe"]!.value = overlay.comparison === "wipe" && layer === "both" ? overlay.wipe : 2;
    (uniforms["mixing"]!.value as Vector2).set(...mixing(overlay, layer));
    stage.renderer.render(this.scene, this.camera);
  }

  private carry(stage: Stage, pictures: Pictures, shown: number): Texture | null {
    const model = this.model();
    if (!model || !pictures.first || this.overlay().comparison === "film") return null;
    this.carried ??= new Carried(this.canvas);
    return this.carried.draw(stage.renderer, model, pictures.first, shown);
  }

  private aim(window: Window): void {
    const sphere = this.model()!.sphere;
    const depth = pixelFromWorld(this.canvas, sphere.center.x, sphere.center.y, sphere.center.z)[2];
    const [near, far] = [Math.max(depth - 4 * sphere.radius, depth / 1000, 1), depth + 4 * sphere.radius];
    this.camera.projectionMatrix.fromArray(clipFromView(this.canvas, window, near, Math.max(far, near + 1)));
    this.camera.projectionMatrixInverse.copy(this.camera.projectionMatrix).invert();
  }

  /** Where the (first) pane has the mesh: 1 as filmed, 0 as simulated. */
  get as_filmed(): number {
    return this.asFilmed(this.overlay(), this.overlay().comparison === "beside" ? "film" : "both");
  }

  /** The film is overlaid where the film has the nodes; the predicted picture where the simulation has them. */
  private asFilmed(overlay: Overlay, layer: "film" | "predicted" | "both"): number {
    if (layer === "predicted" || overlay.comparison === "predicted") return 0;
    return overlay.comparison === "blink" && overlay.blink_on ? 0 : 1;
  }

  private drawMesh(stage: Stage, overlay: Overlay, window: Window, layer: "film" | "predicted" | "both", at: Rectangle): void {
    const model = this.model();
    if (!model || !(overlay.colours || overlay.edges || overlay.rims)) return;
    this.aim(window);
    const as_filmed = this.asFilmed(overlay, layer);
    const { renderer, ratio } = stage;
    if (overlay.colours) {
      model.drawSurface(renderer, this.camera, { opacity: overlay.opacity, shade: 0.35, as_filmed, ground: overlay.ground, pixel: ratio });
    } else if (overlay.rims) {
      model.drawDepth(renderer, this.camera, as_filmed);
    }
    overlay.rims?.draw(renderer, this.camera, { ink: overlay.accent, pixel: ratio, size: [at.width, at.height], as_filmed });
    if (overlay.edges) {
      // Where the simulation has the elements, whatever the film shows: that is what an onion skin is for.
      renderer.clearDepth();
      model.drawDepth(renderer, this.camera, 0);
      model.drawEdges(renderer, this.camera, 0, overlay.accent, 0.55);
    }
  }

  /** The canvas pixel under a place of the element (CSS px from its top left). */
  pixelAt(x: number, y: number): [number, number] {
    const { clientWidth, clientHeight } = this.element;
    const pane = this.panes(clientWidth).find((each) => x >= each.left && x < each.left + each.width) ?? this.panes(clientWidth)[0]!;
    const window = this.window(pane.width, clientHeight);
    return [
      window.x0 + ((x - pane.left) / pane.width) * (window.x1 - window.x0),
      window.y0 + (y / clientHeight) * (window.y1 - window.y0),
    ];
  }

  /** Where the (first) pane shows a point of the world, CSS px, or null when it lies outside. */
  placeOf(x: number, y: number, z: number): [number, number] | null {
    const { clientWidth, clientHeight } = this.element;
    const pane = this.panes(clientWidth)[0]!;
    const window = this.window(pane.width, clientHeight);
    const [u, v, depth] = pixelFromWorld(this.canvas, x, y, z);
    const place: [number, number] = [
      pane.left + ((u - window.x0) / (window.x1 - window.x0)) * pane.width,
      ((v - window.y0) / (window.y1 - window.y0)) * clientHeight,
    ];
    return depth > 0 && place[0] >= 0 && place[1] >= 0 && place[0] <= pane.left + pane.width && place[1] <= clientHeight ? place : null;
  }

  /** The border of the wipe, CSS px from the left. */
  wipePlace(): number {
    const { clientWidth, clientHeight } = this.element;
    const window = this.window(clientWidth, clientHeight);
    const u = this.overlay().wipe * this.canvas.width - 0.5;
    return ((u - window.x0) / (window.x1 - window.x0)) * clientWidth;
  }

  nodeAt(stage: Stage, x: number, y: number): number | null {
    const model = this.model();
    if (!model) return null;
    const [u, v] = this.pixelAt(x, y);
    this.aim({ x0: u - 0.5, y0: v - 0.5, x1: u + 0.5, y1: v + 0.5 });
    const predicted = this.overlay().comparison === "beside" && x > this.element.clientWidth / 2;
    return nodeUnder(stage, model, this.camera, this.asFilmed(this.overlay(), predicted ? "predicted" : "both"));
  }

  /** Zooms about a place of the element so that what lies there stays there. */
  zoomAt(x: number, y: number, factor: number): void {
    const before = this.pixelAt(x, y);
    this.zoom = Math.min(Math.max(this.zoom * factor, 1), LARGEST_ZOOM);
    const after = this.pixelAt(x, y);
    this.moveCentre(before[0] - after[0], before[1] - after[1]);
  }

  pan(dx: number, dy: number): void {
    const [a, b] = [this.pixelAt(0, 0), this.pixelAt(1, 1)];
    this.moveCentre(-dx * (b[0] - a[0]), -dy * (b[1] - a[1]));
  }

  reset(): void {
    this.zoom = 1;
    this.moveCentre(0, 0);
  }

  private moveCentre(dx: number, dy: number): void {
    const { width, height } = this.canvas;
    const free = this.zoom > 1.001;
    this.centre = free
      ? [Math.min(Math.max(this.centre[0] + dx, 0), width), Math.min(Math.max(this.centre[1] + dy, 0), height)]
      : [(width - 1) / 2, (height - 1) / 2];
  }

  dispose(): void {
    this.film.texture.dispose();
    this.predicted.texture.dispose();
    this.carried?.dispose();
    this.material.dispose();
  }
}

/** Share of the predicted picture left and right of the wipe. */
function mixing(overlay: Overlay, layer: "film" | "predicted" | "both"): [number, number] {
  if (layer !== "both") return layer === "film" ? [0, 0] : [1, 1];
  switch (overlay.comparison) {
    case "predicted": return [1, 1];
    case "onion": return [overlay.onion, overlay.onion];
    case "wipe": return [0, 1];
    case "blink": return overlay.blink_on ? [1, 1] : [0, 0];
    default: return [0, 0];
  }
}
