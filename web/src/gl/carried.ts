/**
 * A predicted picture drawn here: the look that the surface had in the film's first picture, carried by the mesh as it
 * stands (as src/vision/predict.rs does for the service). What the mesh does not cover is the first picture itself.
 */
import {
  BufferAttribute, BufferGeometry, Camera, DepthTexture, DoubleSide, GLSL3, LinearFilter, Mesh as Drawn, NearestFilter, RawShaderMaterial, Scene, Texture,
  Vector2, WebGLRenderTarget, type WebGLRenderer,
} from "three";
import type { CanvasCamera } from "../lib/contract";
import { clipFromView, pixelFromWorld, viewFromWorld } from "../lib/pinhole";
import type { MeshModel } from "./meshmodel";
import { CARRIED_FRAGMENT, CARRIED_VERTEX, GROUND_FRAGMENT, PICTURE_VERTEX } from "./shaders";

/** Wider pictures are drawn smaller: they follow a slider. */
const WIDEST_PX = 1280;

/** The smallest of 1, ½, ¼ … that still has a pixel for each of a screen that shows `shown` pixels for one of the picture. */
function shareOfPixels(shown: number): number {
  return Math.min(1, 2 ** Math.ceil(Math.log2(Math.max(shown, 1e-3))));
}

export class Carried {
  private readonly drawn: WebGLRenderTarget;
  private readonly before: WebGLRenderTarget;
  private readonly camera = new Camera();
  private readonly first = new Texture();
  private readonly at_rest: RawShaderMaterial;
  private readonly look: RawShaderMaterial;
  private readonly ground: RawShaderMaterial;
  private readonly ground_scene = new Scene();
  private scenes: { model: MeshModel; rest: Scene; look: Scene } | null = null;

  constructor(private readonly canvas: CanvasCamera) {
    const scale = Math.min(1, WIDEST_PX / canvas.width);
    const [width, height] = [Math.max(1, Math.round(canvas.width * scale)), Math.max(1, Math.round(canvas.height * scale))];
    this.drawn = new WebGLRenderTarget(width, height, { minFilter: LinearFilter, magFilter: LinearFilter });
    const depth = new DepthTexture(width, height);
    depth.minFilter = depth.magFilter = NearestFilter;
    this.before = new WebGLRenderTarget(width, height, { depthTexture: depth, minFilter: NearestFilter, magFilter: NearestFilter });
    this.first.flipY = false;
    this.first.generateMipmaps = false;
    this.first.minFilter = this.first.magFilter = LinearFilter;
    const material = (at_rest: number) => new RawShaderMaterial({
      glslVersion: GLSL3, vertexShader: CARRIED_VERTEX, fragmentShader: CARRIED_FRAGMENT, side: DoubleSide,
      uniforms: { first: { value: this.first }, depth: { value: at_rest ? null : depth }, reach: { value: new Vector2(1, 2) }, at_rest: { value: at_rest } },
    });
    this.look = material(0);
    this.at_rest = material(1);
    // It only writes the depth; what it would read is what it writes to.
    this.at_rest.fragmentShader = "precision highp float;\nin vec4 there;\nout vec4 colour;\nvoid main() { colour = vec4(there.z); }";
    this.ground = new RawShaderMaterial({
      glslVersion: GLSL3, vertexShader: PICTURE_VERTEX, fragmentShader: GROUND_FRAGMENT, depthTest: false, depthWrite: false, uniforms: { first: { value: this.first } },
    });
    const triangle = new BufferGeometry().setAttribute("position", new BufferAttribute(new Float32Array([-1, -1, 0, 3, -1, 0, -1, 3, 0]), 3));
    const quad = new Drawn(triangle, this.ground);
    quad.frustumCulled = false;
    this.ground_scene.add(quad);
    this.camera.matrixAutoUpdate = false;
    this.camera.matrixWorldAutoUpdate = false;
    this.camera.matrixWorldInverse.fromArray(viewFromWorld(canvas));
  }

  /** The picture as a texture whose first row is the picture's first; `shown` pixels of the screen show one of it. */
  draw(renderer: WebGLRenderer, model: MeshModel, first: ImageBitmap, shown: number): Texture {
    if (this.first.image !== first) {
      if (this.first.image) this.first.dispose();
      this.first.image = first;
      this.first.needsUpdate = true;
    }
    const to = renderer.getRenderTarget();
    if (this.scenes?.model !== model) this.begin(renderer, model);
    const share = shareOfPixels((shown * this.canvas.width) / this.before.width);
    this.drawn.setSize(Math.ceil(share * this.before.width), Math.ceil(share * this.before.height));
    renderer.setRenderTarget(this.drawn);
    renderer.clear();
    renderer.render(this.ground_scene, this.camera);
    renderer.render(this.scenes!.look, this.camera);
    renderer.setRenderTarget(to);
    return this.drawn.texture;
  }

  /** Another mesh: the depth before anything moved is drawn once. */
  private begin(renderer: WebGLRenderer, model: MeshModel): void {
    const { width, height } = this.canvas;
    const { center, radius } = model.sphere;
    const depth = pixelFromWorld(this.canvas, center.x, center.y, center.z)[2];
    const near = Math.max(depth - 4 * radius, depth / 1000, 1);
    const far = Math.max(depth + 4 * radius, near + 1);
    const clip = clipFromView(this.canvas, { x0: -0.5, y0: -0.5, x1: width - 0.5, y1: height - 0.5 }, near, far);
    for (let column = 0; column < 4; column++) clip[4 * column + 1]! *= -1;
    this.camera.projectionMatrix.fromArray(clip);
    this.camera.projectionMatrixInverse.copy(this.camera.projectionMatrix).invert();
    (this.look.uniforms["reach"]!.value as Vector2).set(near, far);
    this.scenes = { model, rest: model.sceneIn(this.at_rest), look: model.sceneIn(this.look) };
    renderer.setRenderTarget(this.before);
    renderer.clear();
    renderer.render(this.scenes.rest, this.camera);
  }

  dispose(): void {
    this.drawn.dispose();
    this.before.dispose();
    this.before.depthTexture?.dispose();
    this.first.dispose();
    for (const material of [this.look, this.at_rest, this.ground]) material.dispose();
  }
}
