/** Keeps what was used last, up to a weight (bytes). What falls out is handed to `drop`, for things that must be closed. */
export class Lru<V> {
  private readonly kept = new Map<string, { value: V; weight: number }>();
  private weight = 0;

  constructor(private readonly most: number, private readonly drop: (value: V) => void = () => {}) {}

  get(key: string): V | undefined {
    const found = this.kept.get(key);
    if (!found) return undefined;
    this.kept.delete(key);
    this.kept.set(key, found);
    return found.value;
  }

  has(key: string): boolean {
    return this.kept.has(key);
  }

  set(key: string, value: V, weight: number): void {
    this.remove(key);
    this.kept.set(key, { value, weight });
    this.weight += weight;
    // The newest stays even when it alone is too heavy: it is what is looked at.
    for (const oldest of this.kept.keys()) {
      if (this.weight <= this.most || this.kept.size === 1) break;
      this.remove(oldest);
    }
  }

  remove(key: string): void {
    const found = this.kept.get(key);
    if (!found) return;
    this.kept.delete(key);
    this.weight -= found.weight;
    this.drop(found.value);
  }

  clear(): void {
    for (const key of [...this.kept.keys()]) this.remove(key);
  }
}
