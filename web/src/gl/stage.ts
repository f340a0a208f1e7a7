/**
 * One WebGL context for the whole desk: a canvas behind the page on which each area draws into its own rectangle. Browsers
 * allow few contexts, and so the mesh lies on the graphics card once however many cameras there are.
 *
 * The canvas reaches just around the areas: pixels that the page covers cost time where there is no graphics card, and
 * Chromium, when it composes the page there, shows a canvas whose lower edge is covered upside down (156; crop and flip).
 */
import { Color, ColorManagement, WebGLRenderer } from "three";

// Colours go to the screen as they are: pictures and colour maps must not be lightened by a second transfer curve.
ColorManagement.enabled = false;

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/**
 * Where the processor draws, its time goes with the pixels and lines: pictures that follow one another (scrubbing, playing,
 * turning) have so many fewer pixels each way and no fine lines, and the last is drawn whole when nothing has moved for a while.
 */
const COARSE = 0.5;
const REST_MS = 150;

/** An area of the stage. `rectangle` is in device pixels, origin bottom left, as WebGL has it. */
export interface StageArea {
  readonly element: HTMLElement;
  dirty: boolean;
  draw(stage: Stage, rectangle: Rectangle): void;
}

export class Stage {
  readonly renderer: WebGLRenderer;
  /** Device pixels of the canvas per CSS pixel, now. */
  ratio: number;
  /** Pictures drawn so far, for measuring. */
  drawn = 0;
  private readonly areas = new Set<StageArea>();
  /** Where the canvas lies in the host, whose content may be scrolled. */
  private frame = new DOMRect();
  private readonly sizes: ResizeObserver;
  private asked = 0;
  private drawn_at = -Infinity;
  private rest = 0;
  private lost = false;

  private readonly in_software = drawsInSoftware();
  readonly whole_ratio = Math.min(window.devicePixelRatio || 1, 2);

  constructor(readonly canvas: HTMLCanvasElement, private readonly host: HTMLElement) {
    // Opaque: the browser then need not blend the whole desk at each picture. Smoothing costs four times the pixels
    // where there is no graphics card.
    this.renderer = new WebGLRenderer({ canvas, antialias: !this.in_software, alpha: false, preserveDrawingBuffer: true, powerPreference: "high-performance" });
    this.renderer.autoClear = false;
    this.renderer.setScissorTest(true);
    this.ratio = this.whole_ratio;
    this.renderer.setPixelRatio(1);
    this.sizes = new ResizeObserver(() => this.fit());
    this.sizes.observe(host);
    canvas.addEventListener("webglcontextlost", (event) => { event.preventDefault(); this.lost = true; });
    canvas.addEventListener("webglcontextrestored", () => { this.lost = false; this.invalidate(); });
    this.fit();
  }

  /** False while one picture follows another where the processor draws. */
  get draws_fine_lines(): boolean {
    return this.ratio === this.whole_ratio;
  }

  add(area: StageArea): () => void {
    this.areas.add(area);
    this.sizes.observe(area.element);
    this.invalidate();
    return () => {
      this.areas.delete(area);
      this.sizes.unobserve(area.element);
      this.invalidate();
    };
  }

  /** Asks for a new picture of one area, or of all. */
  invalidate(area?: StageArea): void {
    if (area) area.dirty = true;
    else for (const each of this.areas) each.dirty = true;
    if (this.in_software) this.coarsen();
    if (!this.asked) this.asked = requestAnimationFrame(() => this.drawNow());
  }

  /** Fewer pixels while one picture follows another; all of them soon after the last. */
  private coarsen(): void {
    if (this.asked || performance.now() - this.drawn_at > REST_MS) return;
    this.ratio = COARSE * this.whole_ratio;
    clearTimeout(this.rest);
    this.rest = window.setTimeout(() => {
      this.ratio = this.whole_ratio;
      this.drawNow();
    }, REST_MS);
  }

  /** Draws what is dirty, at once. */
  drawNow(): void {
    if (this.asked) cancelAnimationFrame(this.asked);
    this.asked = 0;
    this.drawn_at = performance.now();
    if (this.lost) return;
    const boxes = this.boxes();
    this.reach([...boxes.values()]);
    for (const [area, box] of boxes) {
      if (!area.dirty) continue;
      area.dirty = false;
      const rectangle = {
        x: Math.round((box.left - this.frame.left) * this.ratio),
        y: Math.round((this.frame.bottom - box.bottom) * this.ratio),
        width: Math.round(box.width * this.ratio),
        height: Math.round(box.height * this.ratio),
      };
      if (rectangle.width < 2 || rectangle.height < 2) continue;
      area.draw(this, rectangle);
      this.drawn += 1;
    }
  }

  /** Where each area lies in the host. */
  private boxes(): Map<StageArea, DOMRect> {
    const host = this.host.getBoundingClientRect();
    const [dx, dy] = [this.host.scrollLeft - host.left, this.host.scrollTop - host.top];
    return new Map([...this.areas].map((area) => {
      const { left, top, width, height } = area.element.getBoundingClientRect();
      return [area, new DOMRect(left + dx, top + dy, width, height)];
    }));
  }

  /** Puts the canvas around the areas, with as many pixels as are wanted now. Another size or place empties it. */
  private reach(boxes: readonly DOMRect[]): void {
    const shown = boxes.filter((box) => box.width > 0 && box.height > 0);
    if (shown.length === 0) return;
    // Whole pixels of the page, so that those of the canvas lie on them.
    const left = Math.floor(Math.min(...shown.map((box) => box.left)));
    const top = Math.floor(Math.min(...shown.map((box) => box.top)));
    const width = Math.ceil(Math.max(...shown.map((box) => box.right)) - left);
    const height = Math.ceil(Math.max(...shown.map((box) => box.bottom)) - top);
    const frame = new DOMRect(left, top, width, height);
    const [w, h] = [Math.max(1, Math.round(width * this.ratio)), Math.max(1, Math.round(height * this.ratio))];
    const stays = same(frame, this.frame) && this.canvas.width === w && this.canvas.height === h;
    if (stays) return;
    this.frame = frame;
    Object.assign(this.canvas.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    this.renderer.setSize(w, h, false);
    this.wipeOff();
    for (const each of this.areas) each.dirty = true;
  }

  /** Restricts drawing to a rectangle and clears it. */
  clear(rectangle: Rectangle, ground: Color): void {
    const { x, y, width, height } = rectangle;
    this.renderer.setViewport(x, y, width, height);
    this.renderer.setScissor(x, y, width, height);
    this.renderer.setClearColor(ground, 1);
    this.renderer.clear();
  }

  /** Clears all, for the seams between the areas: they show through. */
  wipeOff(): void {
    this.clear({ x: 0, y: 0, width: this.canvas.width, height: this.canvas.height }, cssColour("--line"));
  }

  dispose(): void {
    if (this.asked) cancelAnimationFrame(this.asked);
    clearTimeout(this.rest);
    this.sizes.disconnect();
    this.areas.clear();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }

  /** At once: this runs after the layout and before the browser paints, so that nothing flickers. */
  private fit(): void {
    this.wipeOff();
    for (const each of this.areas) each.dirty = true;
    this.drawNow();
  }
}

function same(a: DOMRect, b: DOMRect): boolean {
  return a.left === b.left && a.top === b.top && a.width === b.width && a.height === b.height;
}

let in_software: boolean | null = null;

/** True where WebGL is computed by the processor (SwiftShader, llvmpipe). */
function drawsInSoftware(): boolean {
  if (in_software !== null) return in_software;
  const gl = document.createElement("canvas").getContext("webgl2");
  const more = gl?.getExtension("WEBGL_debug_renderer_info");
  in_software = !!gl && !!more && /swiftshader|llvmpipe|software|basic render/i.test(String(gl.getParameter(more.UNMASKED_RENDERER_WEBGL)));
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return in_software;
}

const colours = new Map<string, Color>();

/** A colour as it stands in a style variable, for shaders that write to the screen as is. Asking the style is slow. */
export function cssColour(name: string): Color {
  const key = `${document.documentElement.dataset["theme"] ?? ""} ${name}`;
  const known = colours.get(key);
  if (known) return known;
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const hex = /^#([0-9a-f]{6})$/i.exec(text)?.[1] ?? "808080";
  const at = (from: number) => parseInt(hex.slice(from, from + 2), 16) / 255;
  const colour = new Color(at(0), at(2), at(4));
  colours.set(key, colour);
  return colour;
}
