/**
 * What the service says and hears under /api/v1, by short names. The shapes come from its OpenAPI (`npm run types` makes
 * openapi.d.ts anew from the snapshot). Lengths in mm, times in s, pixels from the centre of the top-left one.
 */
import type { components } from "./openapi";

type Schemas = components["schemas"];

/** What the service sends: a value that is not there is null, and never left out. */
type Sent<T> = T extends (infer Each)[] ? Sent<Each>[] : T extends object ? { [Key in keyof T]-?: Sent<Exclude<T[Key], undefined>> } : T;

export type Id = string;

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export type Campaign = Sent<Schemas["Campaign"]>;
export type CampaignBoard = Sent<Schemas["CampaignBoard"]>;
export type Upload = Sent<Schemas["Upload"]>;
export type Simulation = Sent<Schemas["Simulation"]>;
export type Test = Sent<Schemas["Test"]>;
export type Review = Sent<Schemas["Review"]>;
/** A camera on the lens-free canvas: a plain pin-hole. */
export type CanvasCamera = Sent<Schemas["ResultCamera"]>;
export type PartResult = Sent<Schemas["ResultPart"]>;
export type ImpactorMoment = Sent<Schemas["ImpactorMoment"]>;
export type Result = Sent<Schemas["ReviewResult"]>;
export type Flag = Sent<Schemas["Flag"]>;
/** What was dismissed is no finding: it neither counts nor leads. */
export const stands = (flag: Pick<Flag, "verdict">) => flag.verdict.state !== "dismissed";
export type Verdict = Sent<Schemas["Verdict"]>;
export type VerdictRecord = Sent<Schemas["VerdictRecord"]>;
export type VerdictState = Schemas["VerdictState"];
export type Live = Sent<Schemas["Live"]>;
export type Plot = Sent<Schemas["PlotName"]>;
export type Problem = Partial<Schemas["Problem"]>;
export type ReviewsAsked = Schemas["NewBatch"];
export type ReviewsBegun = Sent<Schemas["Batch"]>;

/** A verdict as it is said; `blind` is left out where nobody looked blind. */
export type VerdictSaid = Omit<Schemas["SetVerdict"], "blind"> & { blind?: boolean };

/** What the engineer saw before the flags were shown. */
export interface Sighting {
  part_name: string | null;
  time_s: number;
  camera: string | null;
  kind: string;
  remark: string;
}

/** A first look as this browser keeps it. */
export interface FirstLook {
  author: string | null;
  seen: Sighting[];
}
