/** Upload with progress, resume and the reader's verdict a file; then pairs of simulation and test are sent to review. */
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "../lib/api";
import type { Campaign, Simulation, Test } from "../lib/contract";
import { bytes, count, seconds } from "../lib/format";
import { messageOf } from "../state/desk";
import { go } from "../state/route";
import { addFiles, drop, resume, stop, uploads, type Sent } from "../state/uploads";
import { useAsked } from "./asked";
import { Icon } from "./icons";
import { Notice } from "./marks";

const campaign = signal<string | null>(null);

async function read() {
  const [campaigns, simulations, tests] = await Promise.all([api.campaigns(), api.simulations(), api.tests()]);
  return { campaigns, simulations, tests };
}

export function UploadView() {
  const { value, problem } = useAsked("upload", read, ({ name, thing }) =>
    (name === "upload" && thing["state"] === "accepted") || name === "campaign" || name === "test" || name === "simulation");
  const campaigns = value?.campaigns ?? [];
  // Chosen once: a campaign that somebody adds meanwhile must not become the place of what is sent.
  if (campaigns[0] && !campaigns.some((each) => each.id === campaign.peek())) campaign.value = campaigns[0].id;
  const chosen = campaign.value;
  return (
    <div class="sheet">
      <div class="head"><h1>Upload and review</h1>
        <label class="row">Campaign
          <select aria-label="Campaign" value={chosen ?? ""} onChange={(event) => { campaign.value = event.currentTarget.value; }}>
            {campaigns.map((each: Campaign) => <option key={each.id} value={each.id}>{each.name}</option>)}
          </select></label>
      </div>
      {problem ? <Notice text={problem} /> : null}
      <DropPlace campaign={chosen} ready={value !== null} />
      <div class="two">
        <FilesCard />
        <ReviewCard campaign={chosen} simulations={value?.simulations ?? []} tests={(value?.tests ?? []).filter((each) => !chosen || each.campaign_id === chosen)} />
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
  return (
    <section class="card" aria-label="Files" aria-live="polite">
      <div class="card-head"><h2>Files</h2><span class="muted small">{all.length ? `${all.filter((each) => each.state === "accepted").length} of ${all.length} accepted` : ""}</span></div>
      {all.length === 0 ? <p class="empty">Nothing sent yet.</p> : (
        <table><tbody>{all.map((each) => <FileRow key={each.key} file={each} />)}</tbody></table>
      )}
    </section>
  );
}

function FileRow({ file }: { file: Sent }) {
  const left = file.bytes_per_s ? (file.size - file.sent) / file.bytes_per_s : null;
  return (
    <tr data-upload={file.name} data-state={file.state}>
      <td>
        <b class="cut">{file.name}</b>
        {file.state === "sending" || file.state === "stopped" || file.state === "broken" ? (
          <>
            <progress max={file.size || 1} value={file.sent} aria-label={`${file.name}: sent`} />
            <div class="small muted">{bytes(file.sent)} of {bytes(file.size)}{file.bytes_per_s && file.state === "sending" ? `, ${bytes(file.bytes_per_s)}/s, ${seconds(left)} left` : ""}</div>
          </>
        ) : <div class="small muted">{bytes(file.size)}{file.said?.kind ? `, ${KINDS[file.said.kind] ?? file.said.kind}` : ""}</div>}
        {file.message ? <div class="small alarm">{file.message}</div> : null}
      </td>
      <td style={{ width: "120px" }}><FileTag file={file} /></td>
      <td class="number" style={{ width: "150px" }}>
        {file.state === "sending" ? <button class="button" onClick={() => stop(file.key)}><Icon name="pause" />Pause</button> : null}
        {file.state === "stopped" || file.state === "broken" ? <button class="button" onClick={() => resume(file.key)}><Icon name="play" />Go on</button> : null}
        {" "}<button class="icon-button" aria-label={`Remove ${file.name} from this list`} title="Remove from this list" onClick={() => void drop(file.key)}><Icon name="cross" /></button>
      </td>
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

/** The simulation whose name shares the longest beginning with the test's. */
function guess(test: Test, simulations: Simulation[]): Simulation | null {
  const shared = (a: string, b: string) => {
    let at = 0;
    while (at < a.length && at < b.length && a[at]!.toLowerCase() === b[at]!.toLowerCase()) at++;
    return at;
  };
  let best: Simulation | null = null;
  for (const each of simulations) if (!best || shared(each.name, test.name) > shared(best.name, test.name)) best = each;
  return best;
}

function ReviewCard({ campaign: into, simulations, tests }: { campaign: string | null; simulations: Simulation[]; tests: Test[] }) {
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const [simulation, setSimulation] = useState<string>("");
  const [tolerance, setTolerance] = useState("5");
  const [study, setStudy] = useState(true);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const just_sent = uploads.value.flatMap((each) => each.said?.test_id ?? []).join();
  const just_simulated = uploads.value.flatMap((each) => each.said?.simulation_id ?? []).at(-1);
  useEffect(() => { if (just_sent) setPicked((before) => new Set([...before, ...just_sent.split(",")])); }, [just_sent]);
  useEffect(() => { if (just_simulated) setSimulation(just_simulated); }, [just_simulated]);
  const chosen = tests.filter((each) => picked.has(each.id));
  const valid = Number(tolerance) > 0 && chosen.length > 0 && simulations.length > 0;
  const start = async () => {
    setBusy(true);
    setProblem(null);
    try {
      const pairs = chosen.flatMap((test) => {
        const with_ = simulations.find((each) => each.id === simulation) ?? guess(test, simulations);
        return with_ ? [{ simulation_id: with_.id, test_id: test.id }] : [];
      });
      const made = await api.startReviews({ pairs, tolerance_mm: Number(tolerance), study, ...(into ? { campaign_id: into } : {}) }, key());
      const only = made.reviews.length === 1 ? made.reviews[0] : undefined;
      go(only ? `/reviews/${only.id}` : "/jobs");
    } catch (cause) {
      setProblem(messageOf(cause));
    }
    setBusy(false);
  };
  return (
    <section class="card" aria-label="Review">
      <div class="card-head"><h2>Review</h2><span class="muted small">tests against a simulation</span></div>
      <form class="body" style={{ display: "grid", gap: "10px" }} onSubmit={(event) => { event.preventDefault(); if (valid && !busy) void start(); }}>
        <fieldset style={{ border: "none", padding: 0, margin: 0 }}>
          <legend class="small muted" style={{ padding: "0 0 3px" }}>Tests</legend>
          <div class="pick">
            {tests.length === 0 ? <p class="empty">No test in this campaign yet.</p> : tests.map((each) => (
              <label key={each.id}>
                <input type="checkbox" checked={picked.has(each.id)} onChange={(event) => {
                  const next = new Set(picked);
                  if (event.currentTarget.checked) next.add(each.id);
                  else next.delete(each.id);
                  setPicked(next);
                }} />
                <span class="grow cut">{each.name}</span><span class="muted small">{each.state === "stored" ? "not reviewed" : each.state}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <label class="field">Simulation
          <select value={simulation} onChange={(event) => setSimulation(event.currentTarget.value)}>
            <option value="">by name, each test with the closest</option>
            {simulations.map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}
          </select></label>
        <label class="field">Tolerance, mm
          <input type="number" min="0.1" step="0.1" value={tolerance} onInput={(event) => setTolerance(event.currentTarget.value)} /></label>
        <label class="check" title="Where four or more designs of the simulation are here, they tell what an impactor or a fold hides from the cameras">
          <input type="checkbox" checked={study} onChange={(event) => setStudy(event.currentTarget.checked)} />
          Use the study: other designs of the simulation</label>
        {problem ? <Notice text={problem} /> : null}
        <button class="button main" type="submit" disabled={!valid || busy}>{busy ? "Starting …" : `Review ${count(chosen.length, "test")}`}</button>
      </form>
    </section>
  );
}

/** randomUUID needs a secure context; the service only wants a key that is not used twice. */
const key = () => globalThis.crypto?.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
