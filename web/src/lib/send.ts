/**
 * Sends files piece by piece (tus 1.0): it goes on where it stopped, after a lost line as after a closed browser, and
 * each piece carries its SHA-256 where the browser may compute one.
 */
import { Upload as Tus, type FileReader as TusReader, type FileSource } from "tus-js-client";
import { BASE } from "./api";
import type { Id } from "./contract";

/** Small enough for memory and for telling progress, large enough that a fast line is used. */
const PIECE_BYTES = 4 * 2 ** 20;
/** Up to this size a file is named by its digest first: one that the service has already is not sent again. */
const NAMED_BYTES = 128 * 2 ** 20;

/** SHA-256, hex; null where the browser may not compute it or the file is too large for its memory. */
async function digestOf(file: File): Promise<string | null> {
  if (!globalThis.crypto?.subtle || file.size > NAMED_BYTES) return null;
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...sum].map((each) => each.toString(16).padStart(2, "0")).join("");
}

export interface Sending {
  stop: () => void;
  /** Stops and forgets what was sent. */
  drop: () => Promise<void>;
  go: () => void;
}

export interface SendEvents {
  began: (upload: Id) => void;
  progress: (sent: number, whole: number) => void;
  done: () => void;
  failed: (message: string, refused: boolean) => void;
}

/** Reads pieces of a file and keeps the digest of the one that is about to be sent. */
class DigestingReader implements TusReader {
  digest: string | null = null;

  openFile(input: Blob): Promise<FileSource> {
    const reader = this;
    return Promise.resolve({
      size: input.size,
      async slice(start: number, end: number) {
        const piece = input.slice(start, Math.min(end, input.size));
        // Only secure contexts (https, localhost) have it; elsewhere the length alone is checked.
        if (globalThis.crypto?.subtle) {
          const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", await piece.arrayBuffer()));
          reader.digest = btoa(String.fromCharCode(...sum));
        }
        return { value: piece, done: end >= input.size } as unknown as Awaited<ReturnType<FileSource["slice"]>>;
      },
      close() {},
    } as FileSource);
  }
}

export function sendFile(file: File, more: { campaign_id?: Id }, events: SendEvents): Sending {
  const reader = new DigestingReader();
  let told: string | null = null;
  let known = false;
  const tell = () => {
    const id = upload.url?.split("/").filter(Boolean).at(-1) ?? null;
    if (id && id !== told) events.began((told = id));
  };
  const upload: Tus = new Tus(file, {
    endpoint: `${BASE}/uploads`,
    chunkSize: PIECE_BYTES,
    retryDelays: [0, 1000, 3000, 5000, 10_000, 20_000],
    removeFingerprintOnSuccess: true,
    metadata: { filename: file.name, ...(more.campaign_id ? { campaign_id: more.campaign_id } : {}) },
    fileReader: reader,
    onBeforeRequest: (request) => {
      if (request.getMethod() === "PATCH" && reader.digest) request.setHeader("Upload-Checksum", `sha256 ${reader.digest}`);
    },
    onAfterResponse: (request, reply) => {
      known ||= request.getMethod() === "POST" && reply.getHeader("Upload-Offset") === String(file.size);
    },
    onUploadUrlAvailable: () => {
      tell();
      if (!known) return;
      void upload.abort(false);
      events.done();
    },
    onChunkComplete: (_size, sent, whole) => { tell(); events.progress(sent, whole ?? file.size); },
    onProgress: (sent, whole) => events.progress(sent, whole ?? file.size),
    onSuccess: () => { tell(); events.done(); },
    onError: (cause) => {
      const reply = "originalResponse" in cause ? cause.originalResponse : null;
      const status = reply?.getStatus() ?? 0;
      let message = status ? `the service answered ${status}` : "the line to the service broke; press “go on” to resume";
      try {
        const problem = JSON.parse(reply?.getBody() ?? "") as { detail?: string; title?: string };
        message = problem.detail ?? problem.title ?? message;
      } catch {
        // Not a problem document.
      }
      events.failed(message, status >= 400 && status < 500 && status !== 423);
    },
  });
  void upload.findPreviousUploads().then(async (before) => {
    if (before[0]) upload.resumeFromPreviousUpload(before[0]);
    const sha256 = await digestOf(file).catch(() => null);
    if (sha256) upload.options.metadata = { ...upload.options.metadata, sha256 };
    upload.start();
  });
  return {
    stop: () => void upload.abort(false),
    drop: () => upload.abort(true).catch(() => {}),
    go: () => upload.start(),
  };
}
