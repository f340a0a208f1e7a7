import { expect, test } from "vitest";
import { EventParser } from "./sse";

const STREAM = ": hello\n\nid: 7\nevent: flag\ndata: {\"a\":1}\n\nevent: review\r\ndata: one\r\ndata: two\r\n\r\n";

test("events come out whole wherever the stream is cut", () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const parser = new EventParser();
    const found = [...parser.push(STREAM.slice(0, cut)), ...parser.push(STREAM.slice(cut))];
    expect(found).toEqual([
      { id: "7", name: "flag", text: "{\"a\":1}" },
      { id: "7", name: "review", text: "one\ntwo" },
    ]);
  }
});

test("an event without data is none, and its id is still kept", () => {
  const parser = new EventParser();
  expect(parser.push("id: 9\nevent: job\n\n")).toEqual([]);
  expect(parser.id).toBe("9");
});
