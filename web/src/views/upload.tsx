/** Upload with progress, resume and the reader's verdict a file; then pairs of simulation and test are sent to review. */
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../lib/api";
import type { Campaign } from "../lib/contract";
import { bytes, seconds } from "../lib/format";
import type { HalfSent } from "../lib/halfsent";
import { onThePage } from "../lib/words";
import { addFiles, drop, forget, half_sent, lookForHalfSent, resume, stop, uploads, type Sent } from "../state/uploads";
import { useAsked } from "./asked";
import { Icon } from "./icons";
import { Notice } from "./marks";
import { ReviewCard } from "./order";
import { SimulationsCard } from "./simulations";

const campaign = signal<string | null>(null);

async function read() {
  const [campaigns, simulations, tests, running, queued] = await Promise.all([
    api.campaigns(), api.simulations(), api.tests(), api.reviews({ state: "running" }), api.reviews({ state: "queued" }),
  ]);
  return { campaigns, simulations, tests, under_review: new Set([...running, ...queued].map((each) => each.test_id)) };
}

/** A review that measures says so at each picture; only its beginning and its end matter here. */
const turns = (review: Record<string, unknown>) => review["state"] !== "running" || !review["pictures_done"];

export function UploadView() {
  const { value, problem, again } = useAsked("upload", read, ({ name, thing }) =>
    (name === "upload" && thing["state"] === "accepted") || name === "campaign" || name === "test" || name === "simulation" || (name === "review" && turns(thing)));
  useEffect(() => { void lookForHalfSent(); }, []);
  const campaigns = value?.campaigns ?? [];
  // Chosen once: a campaign that somebody adds meanwhile must not become the place of what is sent.
  if (value && !campaigns.some((each) => each.id === campaign.peek())) campaign.value = campaigns[0]?.id ?? null;
  const chosen = campaign.value;
  return (
    <div class="sheet">
      <div class="head"><h1>Upload and review</h1>
        <label class="row grow">Campaign
          <select class="cut" aria-label="Campaign" title={campaigns.find((each) => each.id === chosen)?.name ?? ""} value={chosen ?? ""} onChange={(event) => { campaign.value = event.currentTarget.value; }}>
            {campaigns.map((each: Campaign) => <option key={each.id} value={each.id}>{each.name}</option>)}
          </select></label>
      </div>
      {problem ? <Notice text={problem} /> : null}
      <DropPlace campaign={chosen} ready={value !== null} />
      <div class="two">
        <div class="stack">
          <FilesCard />
          <SimulationsCard simulations={value?.simulations ?? []} again={again} />
        </div>
        <ReviewCard campaign={chosen} simulations={value?.simulations ?? []} tests={(value?.tests ?? []).filter((each) => !chosen || each.campaign_id === chosen)} under_review={value?.under_review ?? new Set()} />
      </div>
    </div>
  );
}

function DropPlace({ campaign: into, ready }: { campaign: string | null; ready: boolean }) {
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const take = (files: FileList | null | undefined) => { if (ready && files?.length) addFiles(files, into); };
  return (
    <div class={`drop ${over ? "over" : ""}`}
      onDragOver={(event) => { event.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)}
      onDrop={(event) => { event.preventDefault(); setOver(false); take(event.dataTransfer?.files); }}>
      <Icon name="upload" />
      <div><b>Drop files here</b> or <button class="button" disabled={!ready} onClick={() => input.current?.click()}>choose files …</button></div>
      <p class="muted small">Simulations as VTKHDF (.vtkhdf) with their side-car (.json), tests as records (.h5). Any size: a broken upload goes on where it stopped,
        and a file that is already there costs nothing. Four or more runs of one design, each with the parameters in its side-car, form a study by themselves.</p>
      <input ref={input} id="files" disabled={!ready} class="hide" type="file" multiple tabIndex={-1} aria-label="Files to upload" accept=".vtkhdf,.hdf,.h5,.hdf5,.json,.nxs"
        onChange={(event) => { take(event.currentTarget.files); event.currentTarget.value = ""; }} />
    </div>
  );
}

const KINDS: Record<string, string> = { simulation: "simulation", sidecar: "side-car of a simulation", test: "test record" };

function FilesCard() {
  const all = uploads.value;
  const half = half_sent.value;
  return (
    <section class="card" aria-label="Files" aria-live="polite">
      <div class="card-head"><h2>Files</h2><span class="muted small">{all.length ? `${all.filter((each) => each.state === "accepted").length} of ${all.length} accepted` : ""}</span></div>
      {all.length + half.length === 0 ? <p class="empty">Nothing sent yet.</p> : (
        <table class="sent"><tbody>
          {all.map((each) => <FileRow key={each.key} file={each} />)}
          {half.map((each) => <HalfRow key={each.key} one={each} />)}
        </tbody></table>
      )}
    </section>
  );
}

function FileRow({ file }: { file: Sent }) {
  const left = file.bytes_per_s ? (file.size - file.sent) / file.bytes_per_s : null;
  return (
    <tr data-upload={file.name} data-state={file.state}>
      <td>
        <b class="cut" title={file.name}>{file.name}</b>
        {file.state === "sending" || file.state === "stopped" || file.state === "broken" ? (
          <>
            <progress max={file.size || 1} value={file.sent} aria-label={`${file.name}: sent`} />
            <div class="small muted">{bytes(file.sent)} of {bytes(file.size)}{file.bytes_per_s && file.state === "sending" ? `, ${bytes(file.bytes_per_s)}/s, ${seconds(left)} left` : ""}</div>
          </>
        ) : <div class="small muted">{bytes(file.size)}{file.said?.kind ? `, ${KINDS[file.said.kind] ?? file.said.kind}` : ""}</div>}
        {file.message ? <div class="small alarm">{onThePage(file.message)}</div> : null}
      </td>
      <td><FileTag file={file} /></td>
      <td class="number">
        {file.state === "sending" ? <button class="button" onClick={() => stop(file.key)}><Icon name="pause" />Pause</button> : null}
        {file.state === "stopped" || file.state === "broken" ? <button class="button" onClick={() => resume(file.key)}><Icon name="play" />Go on</button> : null}
        {" "}<button class="icon-button" aria-label={`Remove ${file.name} from this list`} title="Remove from this list" onClick={() => void drop(file.key)}><Icon name="cross" /></button>
      </td>
    </tr>
  );
}

/** Begun in an earlier page: the browser needs the file again, the service has what was sent. */
function HalfRow({ one }: { one: HalfSent }) {
  return (
    <tr data-half-sent={one.name}>
      <td>
        <b class="cut" title={one.name}>{one.name}</b>
        <progress max={one.size || 1} value={one.sent} aria-label={`${one.name}: sent before`} />
        <div class="small muted">{bytes(one.sent)} of {bytes(one.size)} are there. Choose the same file again: it goes on from here.</div>
      </td>
      <td><span class="tag"><Icon name="pause" />half sent</span></td>
      <td class="number"><button class="icon-button" aria-label={`Forget ${one.name}`} title="Forget what was sent of it" onClick={() => void forget(one)}><Icon name="cross" /></button></td>
    </tr>
  );
}

function FileTag({ file }: { file: Sent }) {
  switch (file.state) {
    case "accepted": return <span class="tag good"><Icon name="check" />accepted</span>;
    case "refused": return <span class="tag alarm"><Icon name="warn" />refused</span>;
    case "broken": return <span class="tag alarm"><Icon name="warn" />interrupted</span>;
    case "stopped": return <span class="tag"><Icon name="pause" />paused</span>;
    case "reading": return <span class="tag live"><Icon name="eye" />being read</span>;
    case "sending": return <span class="tag live"><Icon name="upload" />sending</span>;
  }
}
