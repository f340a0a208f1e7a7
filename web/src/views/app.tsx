/** The frame of the page: header, the view of the place, the sheet of keys. */
import { useEffect } from "preact/hooks";
import { addKeys, type Key } from "../lib/keys";
import { standing } from "../state/events";
import { go, place } from "../state/route";
import { dark, theme } from "../state/settings";
import { BoardView } from "./board";
import { DeskPath, DeskView } from "./desk/desk";
import { ExportView } from "./export";
import { Icon } from "./icons";
import { JobsView } from "./jobs";
import { KeySheet, sheet_open } from "./keysheet";
import { SpeedView } from "./speed";
import { UploadView } from "./upload";

const STANDING = { open: "connected", connecting: "connecting", waiting: "no connection, trying again" } as const;

const turnTheme = () => { theme.value = dark.peek() ? "light" : "dark"; };

const KEYS: Key[] = [
  { keys: ["?"], group: "Page", does: "this sheet", run: () => { sheet_open.value = !sheet_open.value; } },
  { keys: ["t"], group: "Page", does: "dark or light", run: turnTheme },
  // Alt with a number is the browser's own on Linux: it changes the tab.
  { keys: ["Shift+c"], group: "Page", does: "campaign board", run: () => go("/") },
  { keys: ["Shift+u"], group: "Page", does: "upload and review", run: () => go("/upload") },
  { keys: ["Shift+j"], group: "Page", does: "jobs and live", run: () => go("/jobs") },
];

export function App() {
  useEffect(() => addKeys(KEYS), []);
  const here = place.value;
  useEffect(() => {
    const names = { board: "Campaign board", desk: "Review desk", upload: "Upload", jobs: "Jobs and live", export: "Export", speed: "Speed", nowhere: "Not found" };
    document.title = `${names[here.view]} – Crumple`;
  }, [here.view]);
  const link = (path: string, name: string, current: boolean) => (
    <a href={path} {...(current ? { "aria-current": "page" as const } : {})}>{name}</a>
  );
  return (
    <>
      <header class="top">
        <a class="brand" href="/" aria-label="Crumple, campaign board">
          <svg viewBox="0 0 32 32" aria-hidden="true"><path d="M3 22 9 10l5 9 4-12 4 12 3-6 3 9" fill="none" stroke="var(--accent)" stroke-width="3" stroke-linejoin="round" stroke-linecap="round" /></svg>
          Crumple
        </a>
        <nav aria-label="Places">
          {link("/", "Campaigns", here.view === "board")}
          {link("/upload", "Upload", here.view === "upload")}
          {link("/jobs", "Jobs & live", here.view === "jobs")}
        </nav>
        {here.view === "desk" ? <div class="path grow"><DeskPath /></div> : <span class="grow" />}
        <span class={`standing ${standing.value}`} role="status" title="The line on which the service tells what changes">
          <i /><span>{STANDING[standing.value]}</span>
        </span>
        <button class="icon-button" onClick={turnTheme} aria-label={dark.value ? "Light theme" : "Dark theme"} title="Dark or light (t)">
          <Icon name={dark.value ? "sun" : "moon"} />
        </button>
        <button class="icon-button" onClick={() => { sheet_open.value = true; }} aria-label="Keys" title="Keys (?)">?</button>
      </header>
      <main id="main" tabIndex={-1}>
        <View />
      </main>
      <KeySheet />
    </>
  );
}

function View() {
  const here = place.value;
  switch (here.view) {
    case "board": return <BoardView campaign={here.campaign} />;
    case "desk": return <DeskView key={here.review} review={here.review} />;
    case "upload": return <UploadView />;
    case "jobs": return <JobsView />;
    case "export": return <ExportView review={here.review} />;
    case "speed": return <SpeedView />;
    case "nowhere": return <div class="empty"><h1>There is nothing at this address</h1><p><a class="button" href="/">Campaign board</a></p></div>;
  }
}
