/** Deleting something: asked first, with what goes with it; why the service refuses is said in the dialog. */
import { useState } from "preact/hooks";
import { messageOf } from "../state/desk";
import { focusMain } from "../state/route";
import { AskDialog } from "./dialog";
import { Icon } from "./icons";
import { Notice } from "./marks";

interface Removal {
  /** What kind of thing it is, as in “test” or “review of test”. */
  what: string;
  name: string;
  /** What goes with it and what stays, in whole sentences. */
  goes: string;
  remove: () => Promise<unknown>;
  done: () => void;
}

export function RemoveButton(removal: Removal) {
  const { what, name } = removal;
  const [open, setOpen] = useState(false);
  return (
    <>
      <button class="icon-button quiet" aria-label={`Delete ${what} ${name} …`} title="Delete …" onClick={() => setOpen(true)}><Icon name="bin" /></button>
      {open ? (
        <AskDialog title={`Delete ${what} “${name}”?`} closed={() => setOpen(false)}>
          {(close) => <Question removal={removal} close={close} />}
        </AskDialog>
      ) : null}
    </>
  );
}

function Question({ removal, close }: { removal: Removal; close: () => void }) {
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const remove = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await removal.remove();
    } catch (cause) {
      setProblem(messageOf(cause));
      setBusy(false);
      return;
    }
    close();
    // The button that opened the dialog goes with its row.
    focusMain();
    removal.done();
  };
  return (
    <div class="asked">
      <p>{removal.goes} This cannot be undone.</p>
      {problem ? <Notice text={problem} /> : null}
      <div class="row">
        <button class="button danger" type="button" data-remove aria-disabled={busy} onClick={() => { if (!busy) void remove(); }}>Delete</button>
        <button class="button" type="button" data-first onClick={close}>Cancel <kbd>Esc</kbd></button>
      </div>
    </div>
  );
}
