/**
 * The film's pictures, fetched ahead and kept decoded. What is wanted is said anew at each step, nearest first; what is
 * no longer wanted is not fetched any more. A picture is shown exactly or not at all: never a neighbour's.
 */
import { Lru } from "./lru";

/** The browser allows six connections to a service; the event stream and what people do need some of them. */
const AT_ONCE = 4;
const BUDGET_BYTES = 384 * 2 ** 20;
const TRIES = 3;

export class PictureStore {
  private readonly kept = new Lru<ImageBitmap>(BUDGET_BYTES, (bitmap) => bitmap.close());
  private readonly under_way = new Map<string, AbortController>();
  private readonly failures = new Map<string, number>();
  private queue: string[] = [];
  private closed = false;

  constructor(private readonly fetchPicture: (path: string, signal: AbortSignal) => Promise<Response>, private readonly arrived: (path: string) => void) {}

  get(path: string): ImageBitmap | null {
    return this.kept.get(path) ?? null;
  }

  has(path: string): boolean {
    return this.kept.has(path);
  }

  failed(path: string): boolean {
    return (this.failures.get(path) ?? 0) >= TRIES;
  }

  /** Everything that is wanted now, the most urgent first. */
  want(paths: readonly string[]): void {
    const wanted = new Set(paths);
    for (const [path, abort] of this.under_way) if (!wanted.has(path)) abort.abort();
    this.queue = paths.filter((path) => !this.kept.has(path) && !this.under_way.has(path) && !this.failed(path));
    this.start();
  }

  private start(): void {
    while (!this.closed && this.under_way.size < AT_ONCE && this.queue.length) void this.load(this.queue.shift()!);
  }

  private async load(path: string): Promise<void> {
    const abort = new AbortController();
    this.under_way.set(path, abort);
    try {
      const reply = await this.fetchPicture(path, abort.signal);
      const bitmap = await createImageBitmap(await reply.blob(), { premultiplyAlpha: "none", colorSpaceConversion: "none" });
      if (this.closed) return bitmap.close();
      this.kept.set(path, bitmap, 4 * bitmap.width * bitmap.height);
      this.arrived(path);
    } catch {
      if (!abort.signal.aborted) {
        this.failures.set(path, (this.failures.get(path) ?? 0) + 1);
        if (this.failed(path)) this.arrived(path);
      }
    } finally {
      this.under_way.delete(path);
      this.start();
    }
  }

  /** Forgets all: the same names stand for other pictures now. */
  clear(): void {
    for (const abort of this.under_way.values()) abort.abort();
    this.queue = [];
    this.failures.clear();
    this.kept.clear();
  }

  close(): void {
    this.closed = true;
    this.clear();
  }
}

/** All moments, those in the direction of travel before those behind. */
export function nearestFirst(now: number, count: number, direction: number): number[] {
  const order = Array.from({ length: count }, (_, moment) => moment);
  const far = (moment: number) => {
    const away = (moment - now) * direction;
    return away >= 0 ? away : 2.5 * -away;
  };
  return order.sort((a, b) => far(a) - far(b));
}
