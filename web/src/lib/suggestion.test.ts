import { expect, test } from "vitest";
import {
  mismatch, placesFor, shareOf, simulatedValues, trialState, unitOf, valuesAsText, valuesFromText, valuesOfChange, type SuggestionDocument,
} from "./suggestion";

const parameter = (name: string, lower: number, upper: number, simulated: number | null) => ({
  parameter: { name, unit: "mm", lower, upper, nominal: null }, simulated, estimate: { value: lower, lower, upper }, half_width_share: 0.5, identified: false,
});
const change = { rank: 1, moves: [{ name: "b", unit: "mm", from: 0, to: { value: 9, lower: 4, upper: 9 } }], before_mm: 3, after_mm: { value: 1, lower: 0.5, upper: 1.5 }, parts: [], explains: [], leaves: [], why: "" };
const document = { parameters: [parameter("a", 1, 3, 1.25), parameter("b", -4, 4, null)], changes: [change] } as unknown as SuggestionDocument;

test("a change moves its parameters and no others, inside the bounds", () => {
  expect(simulatedValues(document)).toEqual([1.25, 0]);
  expect(valuesOfChange(document, change)).toEqual([1.25, 4]);
});

test("slider values go through an address and back", () => {
  expect(valuesFromText(valuesAsText([1.234567891, -0.1]), document)).toEqual([1.23457, -0.1]);
  expect(valuesFromText("9,0", document)).toEqual([3, 0]);
  for (const bad of [null, "", "1", "1,2,3", "1,x"]) expect(valuesFromText(bad, document)).toBeNull();
});

test("numbers of a parameter have the places and the unit that its range deserves", () => {
  expect([placesFor({ lower: 1.44, upper: 2.16 }), placesFor({ lower: 156, upper: 180 }), placesFor({ lower: 0, upper: 5000 })]).toEqual([3, 1, 0]);
  expect([unitOf("-"), unitOf("mm"), shareOf({ lower: 1, upper: 3 }, 1.5), shareOf({ lower: 1, upper: 3 }, 9)]).toEqual(["", " mm", 0.25, 1]);
});

test("the film stays where it is when the model moves, and what was not measured counts for nothing", () => {
  const measured = {
    simulated_mm: new Float32Array([0, 0, 0, 10, 0, 0]), deviation_mm: new Float32Array([0, 0, 4, 0, 0, 0]),
    sigma_mm: new Float32Array([0.1, -1]), plastic_strain: new Float32Array(2), seen: new Float32Array([1, 0]), alive: null,
  };
  expect(mismatch(measured)).toBe(4);
  const positions = new Float32Array([0, 0, 3, 99, 0, 0]);
  const trial = trialState(measured, positions, null);
  expect([...trial.deviation_mm]).toEqual([0, 0, 1, 0, 0, 0]);
  expect(trial.simulated_mm[2]! + trial.deviation_mm[2]!).toBe(4);
  expect(mismatch(trial)).toBe(1);
  const again = trialState(measured, new Float32Array(6), trial);
  expect(again.deviation_mm).toBe(trial.deviation_mm);
  expect(mismatch(again)).toBe(4);
  expect(mismatch({ ...measured, sigma_mm: new Float32Array([-1, -1]) })).toBeNull();
});
