/** The colour bar of what the surface shows, with unit, tolerance and what the stripes mean; and the choice of quantity. */
import { useId } from "preact/hooks";
import { QUANTITIES, type Quantity } from "../../gl/meshmodel";
import { colourOf, colourStops } from "../../lib/colour";
import { fixed, roundStep } from "../../lib/format";
import * as overlay from "../../state/overlay";

const WIDTH = 320;

export function ColourBar() {
  const id = useId();
  const { map, low, high, bands, tolerance_mm, quantity } = overlay.colouring.value;
  const { unit } = overlay.QUANTITY_NAMES[quantity];
  const step = roundStep(high - low, 6);
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-6; tick += step) ticks.push(tick);
  const at = (value: number) => 8 + ((value - low) / (high - low)) * (WIDTH - 76);
  const marks = tolerance_mm > 0 ? (low < 0 ? [-tolerance_mm, tolerance_mm] : [tolerance_mm]).filter((each) => each < high) : [];
  return (
    <>
      <svg class="colour-bar" viewBox={`0 0 ${WIDTH} 34`} preserveAspectRatio="xMidYMid meet" role="img"
        aria-label={`Colours: ${overlay.QUANTITY_NAMES[quantity].name} from ${fixed(low, places)} to ${fixed(high, places)} ${unit}${tolerance_mm > 0 ? `, line at the tolerance of ${tolerance_mm} mm` : ""}`}>
        <defs>
          <linearGradient id={id}>{colourStops(map).map((stop) => <stop key={stop.offset} offset={stop.offset} stop-color={stop.colour} />)}</linearGradient>
        </defs>
        {bands ? Array.from({ length: bands }, (_, band) => (
          <rect key={band} x={8 + (band * (WIDTH - 76)) / bands} y={5} width={(WIDTH - 76) / bands + 0.3} height={11} fill={colourOf(map, (band + 0.5) / bands, 0, 1)} />
        )) : <rect x={8} y={5} width={WIDTH - 76} height={11} fill={`url(#${id})`} />}
        {ticks.map((tick) => <g key={tick}><line x1={at(tick)} x2={at(tick)} y1={16} y2={20} stroke-width={1} /><text x={at(tick)} y={30} text-anchor="middle">{fixed(tick, places)}</text></g>)}
        <text x={WIDTH - 58} y={14.5}>{unit}</text>
        {marks.map((mark) => <line key={mark} x1={at(mark)} x2={at(mark)} y1={1} y2={20} stroke-width={2} />)}
        {marks.length ? (
          <><line x1={WIDTH - 49} x2={WIDTH - 49} y1={21} y2={31} stroke-width={2} /><text x={WIDTH - 44} y={30}>tol. {fixed(tolerance_mm, tolerance_mm % 1 ? 1 : 0)}</text></>
        ) : null}
      </svg>
      <span class="legend kinds">
        {overlay.tells_seen.value && quantity !== "plastic" ? (
          <>
            <span title="A camera measured it"><svg viewBox="0 0 22 10" aria-hidden="true"><rect width="22" height="10" fill={colourOf(map, 0.6, 0, 1)} /></svg>measured</span>
            <span title="No camera saw it: what a study and the surroundings tell"><svg viewBox="0 0 22 10" aria-hidden="true"><rect width="22" height="10" fill="var(--sunken)" /><path d="M-4 0 6 10M4 0 14 10M12 0 22 10" stroke={colourOf(map, 0.6, 0, 1)} stroke-width="2.6" /></svg>estimated, not seen</span>
          </>
        ) : null}
        <span title="Not well enough known to say a number"><svg viewBox="0 0 22 10" aria-hidden="true"><rect width="22" height="10" fill="#8a8a8a" /><path d="M0 10 10 0M6 10 16 0M12 10 22 0M18 10 22 6" stroke="#5e5e5e" stroke-width="2.5" /></svg>not known</span>
      </span>
    </>
  );
}

export function QuantityChoice({ only_plastic }: { only_plastic: boolean }) {
  return (
    <select aria-label="Quantity on the surface" title="Quantity on the surface (Q)" value={only_plastic ? "plastic" : overlay.quantity.value} disabled={only_plastic}
      onChange={(event) => { overlay.quantity.value = event.currentTarget.value as Quantity; }}>
      {QUANTITIES.map((each) => <option key={each} value={each}>{overlay.QUANTITY_NAMES[each].name}{overlay.QUANTITY_NAMES[each].unit === "mm" ? ", mm" : ""}</option>)}
    </select>
  );
}
