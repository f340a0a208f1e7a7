// A reporter for the last lines of a long log: a line for each test that failed, with the beginning of why.
const LONGEST = 300;

export default async function* failures(events) {
  for await (const { type, data } of events) {
    if (type !== "test:fail" || data.details.error.failureType === "subtestsFailed") continue;
    const { cause } = data.details.error;
    const why = String(cause?.message ?? cause ?? data.details.error.message).replace(/\s+/g, " ");
    yield `✖ ${data.name}: ${why.slice(0, LONGEST)}\n`;
  }
}
