/**
 * Colour maps for values: perceptually uniform, readable with colour-blind eyes and in grey. viridis and cividis (both
 * by their authors in the public domain, CC0) by 17 anchors; the signed map is made here in OKLab, symmetric in lightness.
 */
export type MapName = "viridis" | "cividis" | "signed";

const ANCHORS: Record<"viridis" | "cividis", string> = {
  viridis: "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
  cividis: "00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 8c8878 9b9476 aba072 bcae6c cdbb63 dec958 f0d846 fee838",
};
const STEPS = 256;

type Triple = [number, number, number];

/** OKLab (Ottosson 2020) to sRGB 0..255. */
function srgbFromOklab([lightness, a, b]: Triple): Triple {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear: Triple = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((v) => {
    const c = Math.min(Math.max(v, 0), 1);
    return 255 * (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);
  }) as Triple;
}

function anchored(text: string): (share: number) => Triple {
  const anchors = text.split(" ").map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)) as Triple);
  return (share) => {
    const at = share * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    const [from, to] = [anchors[low]!, anchors[low + 1]!];
    return from.map((v, channel) => v + (to[channel]! - v) * (at - low)) as Triple;
  };
}

/** Blue through light grey to orange; the same lightness at the same distance from zero. */
function signed(share: number): Triple {
  const away = 2 * share - 1;
  const strength = Math.abs(away);
  const hue = ((away < 0 ? 255 : 50) * Math.PI) / 180;
  const chroma = 0.155 * strength ** 0.85;
  return srgbFromOklab([0.94 - 0.46 * strength, chroma * Math.cos(hue), chroma * Math.sin(hue)]);
}

const made = new Map<MapName, Uint8ClampedArray<ArrayBuffer>>();

/** 256 x RGBA. */
export function colourTable(name: MapName): Uint8ClampedArray<ArrayBuffer> {
  const there = made.get(name);
  if (there) return there;
  const of = name === "signed" ? signed : anchored(ANCHORS[name]);
  const table = new Uint8ClampedArray(4 * STEPS);
  for (let step = 0; step < STEPS; step++) {
    table.set([...of(step / (STEPS - 1)), 255], 4 * step);
  }
  made.set(name, table);
  return table;
}

/** `rgb(…)` of a value in [low, high]. */
export function colourOf(name: MapName, value: number, low: number, high: number): string {
  const share = Math.min(Math.max((value - low) / (high - low || 1), 0), 1);
  const at = 4 * Math.round(share * (STEPS - 1));
  const table = colourTable(name);
  return `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
}

/** For SVG and CSS gradients. */
export function colourStops(name: MapName, stops = 24): { offset: number; colour: string }[] {
  return Array.from({ length: stops + 1 }, (_, stop) => ({ offset: stop / stops, colour: colourOf(name, stop / stops, 0, 1) }));
}
