/** A small dialog that asks for something: it opens with what made it, and gives the focus back when it closes. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

/**
 * `children` gets what closes the dialog. The focus goes to its first input, else to what is marked `data-first`.
 *
 * Who opened it hears of the end at once: the browser's own `close` event comes a task later, and a key pressed in
 * between would find a dialog that is shut but still counted as open.
 */
export function AskDialog({ title, closed, children }: { title: string; closed: () => void; children: (close: () => void) => ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
    dialog.current?.querySelector<HTMLElement>("input, [data-first]")?.focus();
  }, []);
  const close = () => {
    dialog.current?.close();
    closed();
  };
  const cancelled = (event: Event) => {
    event.preventDefault();
    close();
  };
  return (
    <dialog ref={dialog} class="ask" aria-labelledby={id} onCancel={cancelled} onClose={closed}>
      <h2 id={id}>{title}</h2>
      {children(close)}
    </dialog>
  );
}
