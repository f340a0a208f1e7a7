/** What the keys reach of the chosen picture area and of the mesh; each area puts its own here. */
export const films: { zoom?: (factor: number) => void; reset?: () => void } = {};
export const space: { turn?: () => void } = {};
