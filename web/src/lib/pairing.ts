/** Which simulation a test is reviewed against, by their names. */

interface Named {
  id: string;
  name: string;
}

export interface Pair<T extends Named, S extends Named> {
  test: T;
  simulation: S | null;
  /** `chosen` by somebody; `name`: they begin alike; `none`: no name fits; `several`: more than one does. */
  by: "chosen" | "name" | "none" | "several";
}

/** Lower case, without the ending, in words and numbers. */
const wordsOf = (name: string) => name.toLowerCase().replace(/\.[a-z0-9]{1,7}$/, "").match(/[\p{L}]+|\d+/gu) ?? [];

/** How many words both names begin with. */
export function sharedWords(a: string, b: string): number {
  const [left, right] = [wordsOf(a), wordsOf(b)];
  let at = 0;
  while (at < left.length && left[at] === right[at]) at += 1;
  return at;
}

/** `chosen` has the simulation by test; the others get the one whose name begins most like theirs, if there is one. */
export function pairsOf<T extends Named, S extends Named>(tests: readonly T[], simulations: readonly S[], chosen: ReadonlyMap<string, string>): Pair<T, S>[] {
  return tests.map((test) => {
    const wanted = simulations.find((each) => each.id === chosen.get(test.id));
    if (wanted) return { test, simulation: wanted, by: "chosen" };
    const most = Math.max(0, ...simulations.map((each) => sharedWords(each.name, test.name)));
    if (most === 0) return { test, simulation: null, by: "none" };
    const fitting = simulations.filter((each) => sharedWords(each.name, test.name) === most);
    // The same name twice is the same run sent again: the first in the list stands for both.
    const clear = fitting.every((each) => each.name === fitting[0]!.name);
    return clear ? { test, simulation: fitting[0]!, by: "name" } : { test, simulation: null, by: "several" };
  });
}
