/** All keys that work here, from the same list that makes them work. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { allKeys, type Key } from "../lib/keys";

export const sheet_open = signal(false);

const SHOWN: Record<string, string> = {
  " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc",
  "Shift+ArrowLeft": "⇧ ←", "Shift+ArrowRight": "⇧ →", Enter: "Enter",
};

export function keyName(key: string): string {
  return SHOWN[key] ?? key.replace("Shift+", "⇧ ").replace("Alt+", "Alt ").replace(/\b[a-z]$/, (letter) => letter.toUpperCase());
}

/** 1 to 9 stand for all between. */
const shownKeys = (key: Key) => (key.keys.length > 3 ? [`${key.keys[0]} – ${key.keys.at(-1)}`] : key.keys);

export function KeySheet() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = sheet_open.value;
  useEffect(() => {
    if (open && !dialog.current?.open) dialog.current?.showModal();
    if (!open && dialog.current?.open) dialog.current.close();
  }, [open]);
  const groups = new Map<string, Key[]>();
  if (open) for (const key of allKeys()) groups.set(key.group, [...(groups.get(key.group) ?? []), key]);
  return (
    <dialog ref={dialog} class="keys" aria-labelledby="keys-title" onClose={() => { sheet_open.value = false; }}
      onClick={(event) => { if (event.target === dialog.current) dialog.current?.close(); }}>
      <div class="row">
        <h1 id="keys-title" class="grow">Keys</h1>
        <button class="button" onClick={() => dialog.current?.close()}>Close <kbd>Esc</kbd></button>
      </div>
      <div class="columns">
        {[...groups].map(([group, keys]) => (
          <section key={group}>
            <h2>{group}</h2>
            <ul>{keys.map((key) => <li key={key.keys.join()}><span>{shownKeys(key).map((each) => <kbd key={each}>{keyName(each)}</kbd>)}</span><span>{key.does}</span></li>)}</ul>
          </section>
        ))}
      </div>
    </dialog>
  );
}
