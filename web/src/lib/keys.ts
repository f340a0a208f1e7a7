/** Keys by name, with what they do, so that the sheet under `?` is always true. */

export interface Key {
  /** As in KeyboardEvent.key; `Shift+` and `Alt+` before it where needed. Letters are lower case. */
  keys: string[];
  does: string;
  group: string;
  run: (event: KeyboardEvent) => void;
}

const sets = new Set<readonly Key[]>();

/** Adds keys for as long as a view stands. */
export function addKeys(keys: readonly Key[]): () => void {
  sets.add(keys);
  return () => sets.delete(keys);
}

export function allKeys(): Key[] {
  return [...sets].flat();
}

export function nameOf(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shifted = event.shiftKey && (event.key.length > 1 || /[a-z]/i.test(event.key)) ? "Shift+" : "";
  return `${event.altKey ? "Alt+" : ""}${shifted}${key}`;
}

/** True where letters are meant as text. */
function writes(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement ||
    (target instanceof HTMLInputElement && !["checkbox", "radio", "button", "range"].includes(target.type)));
}

export function startKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.isComposing || writes(event.target)) return;
    // A dialog keeps its keys to itself.
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    const target = event.target instanceof Element ? event.target : null;
    const name = nameOf(event);
    // Buttons and links are pressed with space and enter, radio groups and sliders moved with arrows.
    if ((name === " " || name === "Enter") && target?.closest("button, a, summary, [role=button], input")) return;
    if (name.startsWith("Arrow") && target?.closest("input[type=range], input[type=radio], [role=slider]")) return;
    const found = allKeys().reverse().find((key) => key.keys.includes(name));
    if (!found) return;
    event.preventDefault();
    found.run(event);
  });
}
