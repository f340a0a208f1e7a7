/** Making a campaign, where there is none and beside those that are there; a name that is taken is said in the form. */
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../lib/api";
import type { Campaign } from "../lib/contract";
import { messageOf } from "../state/desk";
import { go } from "../state/route";
import { Notice } from "./marks";

export function CampaignForm({ made, cancel }: { made: (campaign: Campaign) => void; cancel?: () => void }) {
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const make = async () => {
    setBusy(true);
    setProblem(null);
    try {
      made(await api.addCampaign(name.trim()));
    } catch (cause) {
      setProblem(cause instanceof api.Refused && cause.status === 409 ? `There is a campaign “${name.trim()}” already. Give this one another name, or choose that one.` : messageOf(cause));
    }
    setBusy(false);
  };
  return (
    <form class="new-campaign" onSubmit={(event) => { event.preventDefault(); if (name.trim() && !busy) void make(); }}>
      <label class="field">Name
        <input name="name" type="text" required maxLength={200} value={name} onInput={(event) => { setName(event.currentTarget.value); setProblem(null); }} /></label>
      {problem ? <Notice text={problem} /> : null}
      <div class="row">
        <button class="button main" type="submit" disabled={busy || !name.trim()}>Make campaign</button>
        {cancel ? <button class="button" type="button" onClick={cancel}>Cancel <kbd>Esc</kbd></button> : null}
      </div>
    </form>
  );
}

export function NewCampaign({ again }: { again: () => void }) {
  const [open, setOpen] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!open) return;
    dialog.current?.showModal();
    dialog.current?.querySelector("input")?.focus();
  }, [open]);
  const close = () => setOpen(false);
  return (
    <>
      <button class="button" onClick={() => setOpen(true)}>New …</button>
      {open ? (
        <dialog ref={dialog} class="ask" aria-labelledby="new-campaign" onClose={close}>
          <h2 id="new-campaign">New campaign</h2>
          <CampaignForm cancel={close} made={(campaign) => { close(); again(); go(`/campaigns/${campaign.id}`); }} />
        </dialog>
      ) : null}
    </>
  );
}
