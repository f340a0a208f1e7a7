/**
 * Server-sent events over fetch. EventSource gives up on an error status and then forgets the last id; this one keeps
 * it, waits longer each time, and says how it stands.
 */
export interface StreamEvent {
  id: string | null;
  name: string;
  text: string;
}

/** Takes the stream's text bit by bit and gives whole events (WHATWG HTML, 9.2.6). */
export class EventParser {
  private rest = "";
  private name = "";
  private text: string[] = [];
  id: string | null = null;
  retry_ms: number | null = null;

  push(piece: string): StreamEvent[] {
    this.rest += piece;
    const found: StreamEvent[] = [];
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.rest);
      if (!end) return found;
      const line = this.rest.slice(0, end.index);
      this.rest = this.rest.slice(end.index + end[0].length);
      const event = this.take(line);
      if (event) found.push(event);
    }
  }

  private take(line: string): StreamEvent | null {
    if (line === "") {
      const event = this.text.length ? { id: this.id, name: this.name || "message", text: this.text.join("\n") } : null;
      this.name = "";
      this.text = [];
      return event;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.name = value;
    else if (field === "data") this.text.push(value);
    else if (field === "id" && !value.includes("\0")) this.id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry_ms = Number(value);
    return null;
  }
}

export type Standing = "connecting" | "open" | "waiting";

const SHORTEST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** The service sends a comment at least this often; silence for longer means that the line is dead. */
const LONGEST_SILENCE_MS = 60_000;

export interface Listening {
  stop: () => void;
  /** Something else says that the service is gone: begin the line anew instead of waiting for its silence. */
  doubt: () => void;
}

/** Listens until `stop` is called. `standing` hears of every change; after a gap events go on from the last id. */
export function listen(url: string, heard: (event: StreamEvent) => void, standing: (now: Standing) => void): Listening {
  const stopped = new AbortController();
  let line = new AbortController();
  void (async () => {
    let last: string | null = null;
    let wait_ms = SHORTEST_WAIT_MS;
    while (!stopped.signal.aborted) {
      standing("connecting");
      const parser = new EventParser();
      parser.id = last;
      line = new AbortController();
      try {
        for await (const piece of pieces(url, last, AbortSignal.any([stopped.signal, line.signal]), () => { standing("open"); wait_ms = SHORTEST_WAIT_MS; })) {
          for (const event of parser.push(piece)) {
            last = event.id ?? last;
            heard(event);
          }
        }
      } catch {
        // Any failure means the same: try again from the last id.
      }
      if (stopped.signal.aborted) return;
      standing("waiting");
      await new Promise((done) => setTimeout(done, parser.retry_ms ?? wait_ms));
      wait_ms = Math.min(wait_ms * 2, LONGEST_WAIT_MS);
    }
  })();
  return { stop: () => stopped.abort(), doubt: () => line.abort() };
}

async function* pieces(url: string, last: string | null, stop: AbortSignal, opened: () => void): AsyncGenerator<string> {
  const silent = new AbortController();
  const give_up = () => silent.abort();
  stop.addEventListener("abort", give_up);
  let watch = setTimeout(give_up, LONGEST_SILENCE_MS);
  try {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (last !== null) headers["last-event-id"] = last;
    const reply = await fetch(url, { headers, signal: silent.signal, cache: "no-store" });
    if (!reply.ok || !reply.body) throw new Error(`events: ${reply.status}`);
    opened();
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(watch);
      watch = setTimeout(give_up, LONGEST_SILENCE_MS);
      yield value;
    }
  } finally {
    clearTimeout(watch);
    stop.removeEventListener("abort", give_up);
    silent.abort();
  }
}
