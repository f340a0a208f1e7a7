/** Files on their way to the service. They go on while the page shows something else. */
import { computed, effect, signal } from "@preact/signals";
import * as api from "../lib/api";
import type { Id, Upload } from "../lib/contract";
import { forgetHalfSent, halfSent, type HalfSent } from "../lib/halfsent";
import { sendFile, type Sending } from "../lib/send";
import { onEvent } from "./events";

export interface Sent {
  key: number;
  name: string;
  size: number;
  sent: number;
  state: "sending" | "stopped" | "reading" | "accepted" | "refused" | "broken";
  message: string | null;
  upload: Id | null;
  said: Upload | null;
  bytes_per_s: number | null;
}

export const uploads = signal<readonly Sent[]>([]);
const noted = signal<readonly HalfSent[]>([]);
/** Begun before this page was opened and not finished; who chooses the file again goes on where it stopped. */
export const half_sent = computed(() => noted.value.filter((each) => !uploads.value.some((now) => now.upload === each.upload)));
const sendings = new Map<number, { sending: Sending; began: number; from: number | null }>();
let next_key = 1;
const LOOK_AGAIN_MS = 1000;

function change(key: number, by: Partial<Sent>): void {
  uploads.value = uploads.peek().map((each) => (each.key === key ? { ...each, ...by } : each));
}

const find = (key: number) => uploads.peek().find((each) => each.key === key);

export function addFiles(files: Iterable<File>, campaign_id: Id | null): void {
  for (const file of files) {
    const key = next_key++;
    uploads.value = [...uploads.peek(), { key, name: file.name, size: file.size, sent: 0, state: "sending", message: null, upload: null, said: null, bytes_per_s: null }];
    const sending = sendFile(file, campaign_id ? { campaign_id } : {}, {
      began: (upload) => change(key, { upload }),
      progress: (sent, whole) => progress(key, sent, whole),
      done: () => { change(key, { state: "reading", sent: file.size }); void watch(key); },
      failed: (message, refused) => failed(key, message, refused),
    });
    sendings.set(key, { sending, began: performance.now(), from: null });
  }
}

function progress(key: number, sent: number, whole: number): void {
  const at = sendings.get(key);
  if (at && at.from === null) {
    at.from = sent;
    at.began = performance.now();
  }
  const seconds = at ? (performance.now() - at.began) / 1000 : 0;
  change(key, { sent, size: whole, bytes_per_s: at && seconds > 0.5 ? (sent - (at.from ?? 0)) / seconds : null });
}

/** The reader may have refused the file before its end; then its words say more than a broken line. */
function failed(key: number, message: string, refused: boolean): void {
  const now = find(key);
  if (!now || now.state === "refused" || now.state === "accepted") return;
  change(key, { state: refused ? "refused" : "broken", message });
  if (now.upload) void api.upload(now.upload).then((said) => take(key, said), () => {});
}

function take(key: number, said: Upload): void {
  const now = find(key);
  if (!now || now.state === "refused") return;
  if (said.state === "refused") {
    change(key, { state: "refused", message: said.refusal ?? "refused", said });
    sendings.get(key)?.sending.stop();
  } else if (said.state === "accepted") change(key, { state: "accepted", message: null, said });
  else change(key, { said });
}

/** After the last byte the reader judges; the stream tells, and asking makes sure. */
async function watch(key: number): Promise<void> {
  for (;;) {
    const now = find(key);
    if (!now || now.state !== "reading" || !now.upload) return;
    await api.upload(now.upload).then((said) => take(key, said), () => {});
    await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
  }
}

onEvent(({ name, thing }) => {
  if (name !== "upload") return;
  const said = thing as unknown as Upload;
  const mine = uploads.peek().find((each) => each.upload === said.id);
  if (mine) take(mine.key, said);
});

export async function lookForHalfSent(): Promise<void> {
  noted.value = await halfSent().catch(() => []);
}

export async function forget(one: HalfSent): Promise<void> {
  await forgetHalfSent(one);
  noted.value = noted.peek().filter((each) => each.key !== one.key);
}

/** The browser asks before a page is closed that still sends. */
const warn = (event: BeforeUnloadEvent) => event.preventDefault();
effect(() => {
  if (uploads.value.some((each) => each.state === "sending")) addEventListener("beforeunload", warn);
  else removeEventListener("beforeunload", warn);
});

export function stop(key: number): void {
  sendings.get(key)?.sending.stop();
  change(key, { state: "stopped" });
}

export function resume(key: number): void {
  const at = sendings.get(key);
  if (at) at.from = null;
  change(key, { state: "sending", message: null });
  at?.sending.go();
}

export async function drop(key: number): Promise<void> {
  const now = find(key);
  if (now && (now.state === "sending" || now.state === "stopped" || now.state === "broken")) await sendings.get(key)?.sending.drop();
  sendings.delete(key);
  uploads.value = uploads.peek().filter((each) => each.key !== key);
}
