/** Giving a campaign its name: a new one, and one that is there; a name that is taken is said in the form. */
import { useState } from "preact/hooks";
import * as api from "../lib/api";
import type { Campaign } from "../lib/contract";
import { messageOf } from "../state/desk";
import { go } from "../state/route";
import { AskDialog } from "./dialog";
import { Icon } from "./icons";
import { Notice } from "./marks";

interface Naming {
  /** What the button says. */
  does: string;
  /** The name so far. */
  before?: string;
  send: (name: string) => Promise<Campaign>;
  done: (campaign: Campaign) => void;
  cancel?: () => void;
}

function NameForm({ does, before = "", send, done, cancel }: Naming) {
  const [name, setName] = useState(before);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const valid = name.trim() !== "" && name.trim() !== before;
  const say = async () => {
    setBusy(true);
    setProblem(null);
    try {
      done(await send(name.trim()));
    } catch (cause) {
      setProblem(cause instanceof api.Refused && cause.status === 409 ? `There is a campaign “${name.trim()}” already. Give this one another name, or choose that one.` : messageOf(cause));
    }
    setBusy(false);
  };
  return (
    <form class="asked" onSubmit={(event) => { event.preventDefault(); if (valid && !busy) void say(); }}>
      <label class="field">Name
        <input name="name" type="text" required maxLength={200} value={name} onInput={(event) => { setName(event.currentTarget.value); setProblem(null); }} /></label>
      {problem ? <Notice text={problem} /> : null}
      <div class="row">
        <button class="button main" type="submit" disabled={busy || !valid}>{does}</button>
        {cancel ? <button class="button" type="button" onClick={cancel}>Cancel <kbd>Esc</kbd></button> : null}
      </div>
    </form>
  );
}

export function CampaignForm({ made, cancel }: { made: (campaign: Campaign) => void; cancel?: () => void }) {
  return <NameForm does="Make campaign" send={api.addCampaign} done={made} {...(cancel ? { cancel } : {})} />;
}

export function NewCampaign({ again }: { again: () => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button class="button" onClick={() => setOpen(true)}>New …</button>
      {open ? (
        <AskDialog title="New campaign" closed={() => setOpen(false)}>
          {(close) => <CampaignForm cancel={close} made={(campaign) => { close(); again(); go(`/campaigns/${campaign.id}`); }} />}
        </AskDialog>
      ) : null}
    </>
  );
}

export function RenameCampaign({ campaign, again }: { campaign: Pick<Campaign, "id" | "name">; again: () => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button class="icon-button quiet" aria-label={`Rename campaign ${campaign.name} …`} title="Rename …" onClick={() => setOpen(true)}><Icon name="pen" /></button>
      {open ? (
        <AskDialog title="Rename campaign" closed={() => setOpen(false)}>
          {(close) => <NameForm does="Rename" before={campaign.name} send={(name) => api.renameCampaign(campaign.id, name)} cancel={close} done={() => { close(); again(); }} />}
        </AskDialog>
      ) : null}
    </>
  );
}
