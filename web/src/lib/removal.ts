/** What goes with a thing that is deleted, in words: said before it is done. */
import type { Flag } from "./contract";
import { count } from "./format";

/** `flags` are those of the reviews that go, judged or not. */
export function goesWith({ tests = 0, reviews, flags }: { tests?: number; reviews: number; flags: readonly Pick<Flag, "verdict">[] }): string {
  const things = [...(tests ? [count(tests, "test")] : []), ...(reviews ? [count(reviews, "review")] : [])];
  if (!things.length) return "Nothing was made of it yet.";
  const judged = flags.filter((each) => each.verdict.state !== "open").length;
  return `With it ${tests + reviews === 1 ? "goes" : "go"} ${things.join(" and ")}${reviews ? ", with flags, verdicts and suggestions" : ""}.` +
    (judged ? ` ${count(judged, "flag")} ${judged === 1 ? "was" : "were"} judged.` : "");
}
