/** What this browser remembers: theme, name, how the overlay is set. */
import { effect, signal, type Signal } from "@preact/signals";

/** A signal that is kept in the browser; where storage is not allowed it lives as long as the page. */
export function kept<T>(key: string, first: T): Signal<T> {
  const place = `crumple.${key}`;
  let start = first;
  try {
    const text = localStorage.getItem(place);
    if (text !== null) start = JSON.parse(text) as T;
  } catch {
    // Not readable: begin anew.
  }
  const value = signal(start);
  let born = true;
  effect(() => {
    const now = value.value;
    if (born) {
      born = false;
      return;
    }
    try {
      localStorage.setItem(place, JSON.stringify(now));
    } catch {
      // Full or forbidden: the value still holds on this page.
    }
  });
  return value;
}

export type Theme = "dark" | "light" | "system";
export const theme = kept<Theme>("theme", "system");
export const author = kept("author", "");

const system_dark = matchMedia("(prefers-color-scheme: dark)");
/** The theme in force. */
export const dark = signal(true);
export const still = matchMedia("(prefers-reduced-motion: reduce)");

export function startTheme(): void {
  const set = () => {
    dark.value = theme.value === "dark" || (theme.value === "system" && system_dark.matches);
    document.documentElement.dataset["theme"] = dark.value ? "dark" : "light";
  };
  system_dark.addEventListener("change", set);
  effect(set);
}
