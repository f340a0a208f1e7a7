/** The blind first look: the engineer says what they see before the machine may say anything. */
import { useState } from "preact/hooks";
import type { Sighting } from "../../lib/contract";
import { ms } from "../../lib/format";
import { blind_first, type Desk } from "../../state/desk";
import * as route from "../../state/route";
import { Icon } from "../icons";

const KINDS = ["deformation", "rigid motion", "mixed", "something else"];

export function FirstLookForm({ here }: { here: Desk }) {
  const [seen, setSeen] = useState<readonly Sighting[]>([]);
  const [busy, setBusy] = useState(false);
  const parts = here.result.value?.parts ?? [];
  const finish = async (all: readonly Sighting[]) => {
    setBusy(true);
    await here.saySeen([...all]);
    setBusy(false);
  };
  return (
    <div class="scroll look">
      <p><b>Look first.</b> <span class="muted">Flags, deviation colours and curves are hidden until you have said where film and prediction part.
        Use onion, wipe, blink or beside.</span></p>
      <form onSubmit={(event) => {
        event.preventDefault();
        const values = new FormData(event.currentTarget);
        const text = (name: string) => { const v = values.get(name); return typeof v === "string" ? v : ""; };
        setSeen([...seen, { part_name: text("part") || null, time_s: here.time_s.peek(), camera: route.camera.peek(), kind: text("kind"), remark: text("remark").trim() }]);
        event.currentTarget.reset();
      }}>
        <label class="field">Part
          <select name="part"><option value="">cannot say which</option>{parts.map((each) => <option key={each.id} value={each.name}>{each.name}</option>)}</select></label>
        <label class="field">What<select name="kind">{KINDS.map((each) => <option key={each}>{each}</option>)}</select></label>
        <label class="field">Remark<input name="remark" type="text" maxLength={1000} /></label>
        <div><button class="button" type="submit">Note it at {ms(here.time_s.value)}</button></div>
      </form>
      {seen.map((each, at) => (
        <div class="seen-row small" key={at}>
          <span class="grow cut">{each.part_name ?? "some part"}, {each.kind}, {ms(each.time_s)}{each.remark ? `: ${each.remark}` : ""}</span>
          <button class="icon-button" aria-label="Take back" onClick={() => setSeen(seen.filter((_, other) => other !== at))}><Icon name="cross" /></button>
        </div>
      ))}
      <div class="row" style={{ flexWrap: "wrap" }}>
        <button class="button main" disabled={busy || seen.length === 0} onClick={() => void finish(seen)}><Icon name="eye" />That is all I see</button>
        <button class="button" disabled={busy || seen.length > 0} onClick={() => void finish([])}>I see no difference</button>
      </div>
    </div>
  );
}

/** After the look: what was said, and whether a flag of that part begins near that time. */
export function SeenList({ here }: { here: Desk }) {
  const look = here.looked.value;
  if (!look || !blind_first.value) return null;
  return (
    <section aria-label="Your first look" style={{ padding: "0 12px 8px" }}>
      <div class="section-head" style={{ paddingInline: 0 }}><h3 class="grow">Your first look</h3><button class="button" onClick={() => here.lookAgain()}>Look again</button></div>
      {look.seen.length === 0 ? <p class="small muted">You saw no difference.</p> : look.seen.map((each, at) => {
        const flag = here.flags.value.find((other) => other.part_name === each.part_name && each.time_s >= other.onset_s - 1e-9);
        return (
          <div class="seen-row small" key={at}>
            <span class="grow cut">{each.part_name ?? "some part"}, {each.kind}, {ms(each.time_s)}{each.remark ? `: ${each.remark}` : ""}</span>
            <span class={flag ? "" : "muted"}>{flag ? `as flag ${flag.number}` : "no such flag"}</span>
          </div>
        );
      })}
    </section>
  );
}
