/** The review desk: findings, picture areas, mesh, curves and time line of one review, all on one selection. */
import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { Stage } from "../../gl/stage";
import { addKeys } from "../../lib/keys";
import { ms } from "../../lib/format";
import { Desk, desk } from "../../state/desk";
import * as overlay from "../../state/overlay";
import { Suggest, suggest } from "../../state/suggest";
import * as route from "../../state/route";
import { dark, still } from "../../state/settings";
import { Icon } from "../icons";
import { LiveCard } from "../live";
import { Notice, ReviewProgress, ReviewTag } from "../marks";
import { Curves } from "./curves";
import { Films } from "./films";
import { Findings } from "./findings";
import { deskKeys } from "./keys";
import { Readout } from "./readout";
import { Space } from "./space";
import { SuggestPanel } from "./suggest";
import { TimeLine } from "./timeline";

/** WCAG 2.3.1 forbids more than three flashes a second. */
const BLINK_MS = 550;

export function DeskView({ review }: { review: string }) {
  const [here, setHere] = useState<Desk | null>(null);
  useEffect(() => {
    const made = new Desk(review);
    desk.value = made;
    setHere(made);
    return () => {
      desk.value = null;
      made.dispose();
    };
  }, [review]);
  return here ? <Opened here={here} /> : null;
}

function Opened({ here }: { here: Desk }) {
  if (here.problem.value && !here.result.value) return <div class="sheet"><Notice text={here.problem.value} /><p><a href="/">Campaign board</a></p></div>;
  if (!here.result.value) return <Pending here={here} />;
  return <Stood here={here} />;
}

/** A review that has no result yet, or will never have one. */
function Pending({ here }: { here: Desk }) {
  const review = here.review.value;
  return (
    <div class="sheet">
      <div class="card" style={{ maxWidth: "640px" }}>
        <div class="card-head"><h1 class="grow">{here.test.value?.name ?? "Review"}</h1>{review ? <ReviewTag review={review} /> : null}</div>
        <div class="body" style={{ display: "grid", gap: "10px" }}>
          {here.live.value ? <LiveCard live={here.live.value} /> : review?.state === "running" || review?.state === "queued" ? <ReviewProgress review={review} /> : null}
          {review?.refusal ? <Notice text={review.refusal} /> : null}
          {review?.state === "cancelled" ? <p>This review was cancelled; it has no result.</p> : null}
          {here.live.value ? <p class="muted">The desk opens with the first moment that was reviewed.</p> : null}
          {!review ? <p class="muted">Opening …</p> : null}
          {here.flags.value.length === 0 ? null : (
            <ul>{here.flags.value.map((each) => <li key={each.id}>Flag {each.number}: {each.part_name}, onset {ms(each.onset_s)}</li>)}</ul>
          )}
        </div>
      </div>
    </div>
  );
}

function Stood({ here }: { here: Desk }) {
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [stage, setStage] = useState<Stage | null>(null);
  const [no_gl, setNoGl] = useState<string | null>(null);
  useEffect(() => {
    let made: Stage;
    try {
      made = new Stage(canvas.current!, host.current!);
    } catch {
      setNoGl("this browser offers no WebGL 2: pictures and mesh cannot be drawn. Flags, curves and export work.");
      return;
    }
    setStage(made);
    return () => made.dispose();
  }, []);
  useEffect(() => addKeys(deskKeys(here)), [here]);
  useEffect(() => {
    const made = new Suggest(here);
    suggest.value = made;
    return () => { suggest.value = null; made.dispose(); };
  }, [here]);
  const beside = route.panel.value === "suggest" && suggest.value !== null;
  useEffect(() => (stage ? followSelection(here, stage) : undefined), [here, stage]);
  useEffect(() => startBlink(), []);
  return (
    <div ref={host} class={`desk ${route.alone.value ? "alone" : ""} ${beside ? "suggesting" : ""} ${overlay.mesh_for_curves.value ? "mesh-for-curves" : ""}`}>
      <h1 class="hide">Review of {here.test.value?.name ?? "a test"}</h1>
      <canvas ref={canvas} class="stage" aria-hidden="true" />
      <Findings here={here} />
      {beside ? <SuggestPanel here={here} suggest={suggest.value!} /> : null}
      <section class="films" aria-label="Film">{no_gl ? <Notice text={no_gl} /> : <Films here={here} stage={stage} />}</section>
      <section class="space" aria-label="Mesh in space"><Space here={here} stage={stage} /></section>
      <section class="curves" aria-label="Curves"><Curves here={here} /></section>
      <section class="line" aria-label="Time line"><TimeLine here={here} /></section>
      <Readout />
    </div>
  );
}

/** Draws again when anything changes that is seen on the stage. */
function followSelection(here: Desk, stage: Stage): () => void {
  let was_dark = dark.peek();
  return effect(() => {
    if (was_dark !== dark.value) {
      was_dark = dark.value;
      stage.wipeOff();
    }
    const model = here.model.value;
    overlay.only_plastic.value = here.blind.value;
    if (model) {
      overlay.tolerance_mm.value = here.result.value?.parts.find((each) => each.id === route.part.value)?.tolerance_mm ?? here.review.value?.tolerance_mm ?? 0;
      model.colourBy(overlay.colouring.value);
      model.showParts(route.part.value, overlay.hidden_parts.value);
    }
    // Named so that a change of any of them draws anew.
    void [here.arrivals.value, here.blind.value, here.flags.value, route.moment.value, route.flag.value, route.camera.value, route.alone.value, dark.value,
      overlay.comparison.value, overlay.onion.value, overlay.wipe.value, overlay.blink_on.value, overlay.colours.value, overlay.opacity.value,
      overlay.edges.value, overlay.outlines.value, overlay.exaggeration.value, overlay.mesh_edges.value, overlay.trial_edges.value, here.trial.value, route.panel.value];
    here.showMesh();
    stage.invalidate();
  });
}

function startBlink(): () => void {
  return effect(() => {
    if (overlay.comparison.value !== "blink" || still.matches) return;
    const timer = setInterval(() => { overlay.blink_on.value = !overlay.blink_on.peek(); }, BLINK_MS);
    return () => clearInterval(timer);
  });
}

/** Where one is, in the header. */
export function DeskPath() {
  const here = desk.value;
  const review = here?.review.value;
  if (!here || !review) return null;
  return (
    <>
      <a class="muted" href={`/campaigns/${review.campaign_id}`}>Campaign</a>
      <span class="muted" aria-hidden="true">/</span>
      <b class="cut">{here.test.value?.name ?? "test"}</b>
      <span class="muted cut">against {here.simulation.value?.name ?? "simulation"}</span>
      <ReviewTag review={review} />
      <span class="grow" />
      {review.state === "finished" ? <a class="button" href={`/export/${review.id}`}><Icon name="download" />Export</a> : null}
    </>
  );
}
