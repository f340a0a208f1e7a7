/** What this browser began to send and did not finish: a browser may not open a file again by itself, but it can name it. */
import { defaultOptions, Upload as Tus } from "tus-js-client";
import * as api from "./api";
import type { Id } from "./contract";

export interface HalfSent {
  /** Where the browser noted it. */
  key: string;
  url: string;
  upload: Id;
  name: string;
  size: number;
  sent: number;
}

/** Notes of uploads that the service no longer has, or has whole, are thrown away. */
export async function halfSent(): Promise<HalfSent[]> {
  const store = defaultOptions.urlStorage;
  const found = await Promise.all((await store.findAllUploads()).map(async ({ urlStorageKey: key, uploadUrl: url }): Promise<HalfSent | null> => {
    const upload = url?.split("/").filter(Boolean).at(-1);
    if (!url || !upload) return null;
    const said = await api.upload(upload).catch((cause: unknown) => (cause instanceof api.Refused && cause.status === 404 ? "gone" : null));
    if (said === null) return null;
    if (said === "gone" || said.state !== "receiving") {
      await store.removeUpload(key);
      return null;
    }
    return { key, url, upload, name: said.filename, size: said.length, sent: said.offset };
  }));
  return found.filter((each) => each !== null);
}

/** The service forgets what it has of the file, and so does the browser. */
export async function forgetHalfSent({ key, url }: HalfSent): Promise<void> {
  await Tus.terminate(url).catch(() => {});
  await defaultOptions.urlStorage.removeUpload(key);
}
