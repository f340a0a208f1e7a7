/** What the service says and hears under /api/v1. Lengths in mm, times in s, pixels from the centre of the top-left one. */

export type Id = string;

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Campaign {
  id: Id;
  name: string;
  created_at: string;
  tests: number;
  open_flags: number;
}

export interface PartTally {
  part_name: string;
  tests_flagged: number;
  worst_mm: number;
}

export interface CampaignBoard extends Omit<Campaign, "tests"> {
  tests: Test[];
  parts: PartTally[];
}

export interface Upload {
  id: Id;
  filename: string;
  length: number;
  offset: number;
  state: "receiving" | "reading" | "accepted" | "refused";
  kind: "simulation" | "sidecar" | "test" | null;
  refusal: string | null;
  simulation_id: Id | null;
  test_id: Id | null;
  sha256: string | null;
}

export interface Simulation {
  id: Id;
  name: string;
  sha256: string;
  bytes: number;
  family: string | null;
  nodes: number;
  elements: number;
  states: number;
  parts: { id: number; name: string }[];
}

export interface FilmedBy {
  name: string;
  width: number;
  height: number;
  frames: number;
  times_s: number[];
}

export interface Test {
  id: Id;
  campaign_id: Id;
  name: string;
  sha256: string | null;
  bytes: number | null;
  cameras: FilmedBy[];
  state: "stored" | "live" | "reviewed";
  latest_review_id: Id | null;
}

export type ReviewState = "queued" | "running" | "finished" | "failed" | "cancelled";

export interface Review {
  id: Id;
  batch_id: Id | null;
  campaign_id: Id;
  simulation_id: Id;
  test_id: Id;
  state: ReviewState;
  stage: string | null;
  pictures_done: number;
  pictures_total: number;
  seconds_left: number | null;
  refusal: string | null;
  tolerance_mm: number;
  created_at: string;
  finished_at: string | null;
  flags: number;
  provider: string | null;
  live: boolean;
}

/** A camera on the lens-free canvas: a plain pin-hole. */
export interface CanvasCamera {
  name: string;
  width: number;
  height: number;
  fx: number;
  fy: number;
  cx: number;
  cy: number;
  /** World to camera, 4 x 4 row-major, OpenCV axes (x right, y down, z forward), mm. */
  pose: number[];
  /** For each moment the frame of the film, null where this camera has none. */
  frames: (number | null)[];
  mm_per_px?: number | null;
  moved_px?: number | null;
  target_rms_px?: number | null;
}

export interface SeriesPoint {
  time_s: number;
  p50_mm: number | null;
  p95_mm: number | null;
  sigma_mm: number | null;
  coverage?: number | null;
}

export interface PartResult {
  id: number;
  name: string;
  tolerance_mm: number;
  onset_s: number | null;
  peak_mm: number | null;
  series: SeriesPoint[];
}

export interface Result {
  times_s: number[];
  cameras: CanvasCamera[];
  parts: PartResult[];
  trigger: { offset_s: number; sigma_s: number } | null;
  noise?: { quiet_frames?: number; p95_mm?: number; p95_px?: number } | null;
  warnings: string[];
  flags: Flag[];
}

export type VerdictState = "open" | "confirmed" | "dismissed" | "relabelled";

export interface Verdict {
  state: VerdictState;
  reason: string | null;
  label: string | null;
  comment: string | null;
  author: string | null;
  at: string | null;
  blind?: boolean | null;
}

export interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

export interface Flag {
  id: Id;
  number: number;
  review_id: Id;
  part_id: number;
  part_name: string;
  kind: string;
  verdict_machine: "mismatch" | "cannot_tell";
  probability: number;
  onset_s: number;
  peak_s: number;
  peak_mm: number;
  peak_sigma_mm?: number | null;
  area_mm2: number;
  cameras: string[];
  element_ids: number[];
  verdict: Verdict;
  /** Counts the verdicts; a new one is refused when somebody else was faster. */
  version?: number;
}

export interface VerdictSaid {
  state: VerdictState;
  reason?: string;
  label?: string;
  comment?: string;
  author?: string;
  blind?: boolean;
}

/** What the engineer saw before the flags were shown. */
export interface Sighting {
  part_name: string | null;
  time_s: number;
  camera: string | null;
  kind: string;
  remark: string;
}

export interface FirstLook {
  author?: string | null;
  at?: string | null;
  seen: Sighting[];
}

export interface Live {
  id: Id;
  review_id: Id;
  test_id: Id;
  campaign_id?: Id;
  name?: string;
  received: number;
  expected?: number | null;
  flagged: number;
  behind: number;
  rate_note: string | null;
  last_time_s?: number | null;
  ended?: boolean;
  p50_ms?: number | null;
  p99_ms?: number | null;
}

export interface Plot {
  name: string;
  title: string;
}

export interface Version {
  version: string;
  provider: string | null;
  commit: string | null;
}

/** RFC 9457. */
export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
}
