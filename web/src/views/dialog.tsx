/** A small dialog that asks for something: it opens with what made it, and gives the focus back when it closes. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

/** `children` gets what closes the dialog. The focus goes to its first input, else to what is marked `data-first`. */
export function AskDialog({ title, closed, children }: { title: string; closed: () => void; children: (close: () => void) => ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
    dialog.current?.querySelector<HTMLElement>("input, [data-first]")?.focus();
  }, []);
  return (
    <dialog ref={dialog} class="ask" aria-labelledby={id} onClose={closed}>
      <h2 id={id}>{title}</h2>
      {children(() => dialog.current?.close())}
    </dialog>
  );
}
