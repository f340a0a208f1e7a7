import { expect, test } from "vitest";
import { onThePage } from "./words";

test("what the service says of options and headers is said of what stands on the page", () => {
  const upload = "a.txt: what kind of file this is cannot be told by its ending; expected .vtkhdf (simulation), .json (its side-car), .h5 (test record), or say it by kind in Upload-Metadata";
  expect(onThePage(upload)).toMatch(/\.h5 \(test record\): rename it so that it ends like one of these$/);
  expect(onThePage("17 runs of the study told how it deviates (--no-study hears none)")).toBe("17 runs of the study told how it deviates (a review without “Use the study” hears none)");
  const busy = "test 01a21ee5-e687-74bf-866f-85d46e522fa9 cannot be deleted: review 01a21ee5-ea2e-70e5-9588-0e9e2c37de60 is queued or running; cancel it or wait for its end";
  expect(onThePage(busy)).toBe("test cannot be deleted: a review is queued or running; cancel it or wait for its end");
  const belongs = "review 01a21ee5-ea2e-70e5-9588-0e9e2c37de60 cannot be deleted: it belongs to live test 01a21ee5-e687-74bf-866f-85d46e522fa9; delete the test";
  expect(onThePage(belongs)).toBe("review cannot be deleted: it belongs to a live test; delete the test");
  expect(onThePage(busy.replace("review", "upload"))).toContain(": an upload is");
  expect(onThePage("peak at 5 mm -- no more")).toBe("peak at 5 mm -- no more");
});
