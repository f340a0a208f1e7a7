/** Small line drawings, 16 x 16. They never stand alone: text or a label says the same. */
const PATHS = {
  play: "M5 3.2v9.6l8-4.8z",
  pause: "M5.5 3v10M10.5 3v10",
  back: "M10.5 3 5.5 8l5 5",
  forth: "M5.5 3l5 5-5 5",
  first: "M4 3v10M12 3 7 8l5 5",
  last: "M12 3v10M4 3l5 5-5 5",
  repeat: "M3 8a4 4 0 0 1 4-4h5M10 2l2 2-2 2M13 8a4 4 0 0 1-4 4H4M6 14l-2-2 2-2",
  check: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  tag: "M3 3h5l5.5 5.5-5 5L3 8zM5.8 5.8h.01",
  speech: "M3 3.5h10v7H7.5L4.5 13v-2.5H3z",
  circle: "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3z",
  note: "M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11zM8 7.3v3.4M8 5.2h.01",
  warn: "M8 2.5 14 13H2zM8 6.5v3M8 11.4h.01",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M3.4 12.6l1.1-1.1M11.5 4.5l1.1-1.1",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3 4.5 4.5 0 0 0 13 9.5z",
  expand: "M9.5 3H13v3.5M13 3 9 7M6.5 13H3V9.5M3 13l4-4",
  shrink: "M13 6.5H9.5V3M9.5 6.5 13.5 2.5M3 9.5h3.5V13M6.5 9.5 2.5 13.5",
  fit: "M3 6V3h3M10 3h3v3M13 10v3h-3M6 13H3v-3",
  eye: "M1.8 8S4 3.8 8 3.8 14.2 8 14.2 8 12 12.2 8 12.2 1.8 8 1.8 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  hidden: "M2 2l12 12M6 4.2A6 6 0 0 1 8 3.8C12 3.8 14.2 8 14.2 8a11 11 0 0 1-1.7 2.2M9.5 12a6 6 0 0 1-1.5.2C4 12.2 1.8 8 1.8 8a11 11 0 0 1 2.4-2.8",
  upload: "M8 11V3M4.5 6.5 8 3l3.5 3.5M3 13h10",
  download: "M8 3v8M4.5 7.5 8 11l3.5-3.5M3 13h10",
  print: "M4.5 6V2.5h7V6M4.5 11.5H3V6h10v5.5h-1.5M4.5 9.5h7v4h-7z",
  flag: "M4 14V2.5h8L10 5.5l2 3H4",
  live: "M8 7a1 1 0 1 0 0 2 1 1 0 0 0 0-2zM5 5a4.2 4.2 0 0 0 0 6M11 5a4.2 4.2 0 0 1 0 6M3 3a7 7 0 0 0 0 10M13 3a7 7 0 0 1 0 10",
  pen: "M3 13l.7-3L10.5 3.2l2.3 2.3L6 12.3zM9 4.7 11.3 7",
  bin: "M2.5 4.5h11M6 4.5V2.8h4v1.7M4.2 4.5l.6 8.7h6.4l.6-8.7M6.8 7v4M9.2 7v4",
  undo: "M4 6h5.5a3.5 3.5 0 0 1 0 7H6M4 6l3-3M4 6l3 3",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
