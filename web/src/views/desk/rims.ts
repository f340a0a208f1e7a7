import type { RimLines } from "../../gl/meshmodel";
import type { Desk } from "../../state/desk";
import * as route from "../../state/route";

/** The outlines to draw now; the selected one last, so that it lies on top. Dismissed flags have none unless selected. */
export function rimsOf(here: Desk): { lines: RimLines; selected: boolean; uncertain: boolean }[] {
  if (!here.model.peek()?.has(route.moment.peek())) return [];
  return here.shown_flags.peek()
    .flatMap((flag) => {
      const lines = here.rim_lines.get(flag.number);
      const selected = flag.number === route.flag.peek();
      if (!lines || (flag.verdict.state === "dismissed" && !selected)) return [];
      return [{ lines, selected, uncertain: flag.verdict_machine === "cannot_tell" }];
    })
    .sort((a, b) => Number(a.selected) - Number(b.selected));
}
