import { expect, test } from "vitest";
import { colourTable } from "./colour";

function luminance(r: number, g: number, b: number): number {
  const linear = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
}

test("unsigned maps rise in lightness all the way, so that they read in grey", () => {
  for (const name of ["viridis", "cividis"] as const) {
    const table = colourTable(name);
    let before = -1;
    for (let step = 0; step < 256; step += 4) {
      const now = luminance(table[4 * step]!, table[4 * step + 1]!, table[4 * step + 2]!);
      expect(now).toBeGreaterThan(before);
      before = now;
    }
  }
});

test("the signed map is as light on one side of zero as on the other", () => {
  const table = colourTable("signed");
  for (const away of [20, 60, 100, 127]) {
    const [low, high] = [127 - away, 128 + away].map((step) => luminance(table[4 * step]!, table[4 * step + 1]!, table[4 * step + 2]!));
    expect(Math.abs(low! - high!)).toBeLessThan(0.06);
  }
});
