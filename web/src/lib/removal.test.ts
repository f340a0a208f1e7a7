import { expect, test } from "vitest";
import { goesWith } from "./removal";

const flag = (state: "open" | "confirmed" | "dismissed") => ({ verdict: { state, at: null, author: null, comment: null, label: null, reason: null } });

test("what goes with a thing is named, and how many judgements are lost", () => {
  expect(goesWith({ tests: 3, reviews: 4, flags: [flag("confirmed"), flag("open"), flag("dismissed")] }))
    .toBe("With it go 3 tests and 4 reviews, with flags, verdicts and suggestions. 2 flags were judged.");
  expect(goesWith({ reviews: 1, flags: [flag("confirmed")] })).toBe("With it goes 1 review, with flags, verdicts and suggestions. 1 flag was judged.");
  expect(goesWith({ tests: 1, reviews: 0, flags: [] })).toBe("With it goes 1 test.");
  expect(goesWith({ reviews: 0, flags: [] })).toBe("Nothing was made of it yet.");
});
