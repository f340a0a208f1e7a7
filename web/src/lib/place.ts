/** The places of the page, by path. */

export type Place =
  | { view: "board"; campaign: string | null }
  | { view: "desk"; review: string }
  | { view: "upload" }
  | { view: "jobs" }
  | { view: "export"; review: string | null }
  | { view: "speed" }
  | { view: "nowhere" };

export function placeOf(path: string): Place {
  const words = path.split("/").filter(Boolean).map(decoded);
  const [first = "", second, ...more] = words;
  if (more.length || words.includes(null)) return { view: "nowhere" };
  switch (first) {
    case "": return { view: "board", campaign: null };
    case "campaigns": return { view: "board", campaign: second ?? null };
    case "reviews": return second ? { view: "desk", review: second } : { view: "jobs" };
    case "upload": return { view: "upload" };
    case "jobs": return { view: "jobs" };
    case "export": return { view: "export", review: second ?? null };
    case "speed": return { view: "speed" };
    default: return { view: "nowhere" };
  }
}

/** Null where the escapes are not those of UTF-8: nobody's name is written so. */
function decoded(word: string): string | null {
  try {
    return decodeURIComponent(word);
  } catch {
    return null;
  }
}
