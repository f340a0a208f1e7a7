// The suggestion in the page: runs are uploaded, a change is asked for, tried with the sliders, decided about.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { complaintsOf } from "./accessible.mjs";
import { ROOT } from "./service.mjs";

const STUDIES = [process.env.CRUMPLE_STUDY, join(ROOT, "fixtures/study")];
const SUGGEST_MS = 180_000;
const REVIEW_MS = 240_000;
const LEAST_PICTURES_PER_S = 15;

/** Files of the study of the shipped example, each side-car before its run; empty where there is none. */
export function studyFiles() {
  const folder = STUDIES.find((each) => each && existsSync(each));
  return folder ? readdirSync(folder).filter((name) => /\.(json|vtkhdf)$/.test(name)).sort().map((name) => join(folder, name)) : [];
}

/** Sends a thing, or asks for one to go; answers with what came back. */
async function send(service, method, path, thing) {
  const headers = { "content-type": "application/json" };
  const reply = await fetch(`${service.url}/api/v1${path}`, { method, headers, body: thing && JSON.stringify(thing) });
  const text = await reply.text();
  assert.ok(reply.ok, `${method} ${path}: ${text}`);
  return text ? JSON.parse(text) : null;
}

/** Whether a review or a suggestion has finished; one that was refused says why. */
function isFinished({ state, refusal }) {
  assert.notEqual(state, "failed", refusal ?? "");
  return state === "finished";
}

/** Waits for the suggestion that was asked for last. */
async function untilSuggested({ until, api }, review) {
  const newest = async () => (await api(`/reviews/${review}/suggestions`)).items[0];
  await until("the suggestion", async () => isFinished(await newest() ?? {}), SUGGEST_MS);
}

/** Whether one of so many tries succeeds: a busy machine makes a try slower, never faster. */
async function bestOf(tries, attempt) {
  for (let i = 0; i < tries; i++) if (await attempt()) return true;
  return false;
}

/**
 * Moves the first slider to and fro for some seconds: how many pictures a second follow. Without a graphics card the drawing
 * is the bottleneck; then the page's own work for a picture, in time of its processor, and the service's answer, when the
 * drawing does not want the processor, must each leave room for as many: they go on side by side.
 */
async function slide({ page, context }) {
  const devtools = await context.newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  const busy_s = async () => (await devtools.send("Performance.getMetrics")).metrics.find((each) => each.name === "TaskDuration").value;
  const busy_before_s = await busy_s();
  const moved = await page.evaluate(async () => {
    const input = document.querySelector(".suggest .slider input");
    const [low, high] = [Number(input.min), Number(input.max)];
    const asked = [];
    const seen = new PerformanceObserver((list) => {
      for (const each of list.getEntries()) if (each.name.includes("/surrogate/mesh")) asked.push([each.name, each.duration]);
    });
    seen.observe({ type: "resource" });
    const began = performance.now();
    let pictures = 0;
    let last = null;
    for (let step = 0; performance.now() - began < 4000; step++) {
      input.value = String(low + (high - low) * Math.abs(((step / 40) % 2) - 1));
      input.dispatchEvent(new Event("input", { bubbles: true }));
      await new Promise((done) => requestAnimationFrame(done));
      const now = document.querySelector("[data-follows]")?.dataset.pictures ?? null;
      if (now !== null && now !== last) pictures += last === null ? 1 : Number(now) - Number(last);
      last = now;
    }
    const took = performance.now() - began;
    await new Promise((done) => setTimeout(done, 300));
    seen.disconnect();
    return { pictures_per_s: (1000 * pictures) / took, asked };
  });
  const page_ms = 1000 * (await busy_s() - busy_before_s);
  await devtools.detach();
  assert.ok(moved.asked.length > 3, `the sliders asked for ${moved.asked.length} meshes`);
  await page.waitForTimeout(1000);
  const answers_ms = [];
  for (const [url] of moved.asked.slice(0, 15)) {
    const began = performance.now();
    const reply = await fetch(url);
    assert.ok(reply.ok && (await reply.arrayBuffer()).byteLength > 0, `${url}: ${reply.status}`);
    answers_ms.push(performance.now() - began);
  }
  return {
    slider_pictures_per_s: moved.pictures_per_s,
    slider_answer_ms: median(moved.asked.map(([, ms]) => ms)),
    slider_service_ms: median(answers_ms),
    slider_page_ms_per_picture: page_ms / moved.asked.length,
  };
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Declares the tests; `at` gives what stands when they run. */
export function suggestionTests(at) {
  const files = studyFiles();
  const options = files.length ? {} : { skip: "there is no study of the example (fixtures/study)" };

  test("without a study the panel says what is missing and what to do", async () => {
    const { page, service, review, shot } = at();
    await page.goto(`${service.url}/reviews/${review}`);
    await page.waitForSelector("[data-camera]");
    await page.keyboard.press("i");
    await page.waitForSelector(".suggest .ask >> text=This campaign has no study");
    assert.ok(await page.locator(".suggest a[href='/upload']").count(), "it says where to upload the runs");
    assert.match(page.url(), /reviews/);
    await shot("16-suggest-no-study");
    await page.keyboard.press("i");
    await page.waitForSelector(".suggest", { state: "detached" });
  });

  test("runs that are uploaded form the study, and a change is suggested from it", options, async () => {
    const { page, service, review, until, shot, figures, query } = at();
    await page.goto(`${service.url}/upload`);
    await page.waitForSelector("#files:enabled", { state: "attached" });
    await page.setInputFiles("#files", files);
    await until("all runs accepted", async () => (await page.locator("tr[data-state=accepted]").count()) === files.length, 120_000);
    await page.goto(`${service.url}/reviews/${review}?panel=suggest`);
    const began = Date.now();
    await page.click(".suggest .ask [data-suggest]");
    await untilSuggested(at(), review);
    await page.waitForSelector(".suggest [data-verdict]");
    figures.suggestion_s = (Date.now() - began) / 1000;
    await page.waitForSelector(".suggest .slider");
    assert.equal(query().get("panel"), "suggest", "the panel is in the address");
    await page.waitForTimeout(800);
    await shot("17-suggest-dark");
  });

  test("a slider moves the mesh and the predicted picture, at least 15 times a second, and is in the address", options, async () => {
    const { page, until, shot, figures, query, coloursIn } = at();
    await page.keyboard.press("End");
    await page.keyboard.press("p");
    await page.waitForTimeout(600);
    const slider = page.locator(".suggest .slider input").first();
    await slider.focus();
    const space = (await coloursIn(".space .area")).sum;
    const film = (await coloursIn("[data-camera]")).sum;
    const before = await slider.inputValue();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    assert.notEqual(await slider.inputValue(), before, "arrows move the slider");
    await until("another mesh", async () => (await coloursIn(".space .area")).sum !== space);
    await until("another predicted picture", async () => (await coloursIn("[data-camera]")).sum !== film);
    await until("the values in the address", async () => query().get("p") !== null);
    // The first time the browser still translates what it runs.
    await slide(at());
    const room = await bestOf(3, async () => {
      const slid = await slide(at());
      Object.assign(figures, slid);
      return slid.slider_pictures_per_s >= LEAST_PICTURES_PER_S || Math.max(slid.slider_page_ms_per_picture, slid.slider_service_ms) < 1000 / LEAST_PICTURES_PER_S;
    });
    await shot("18-suggest-predicted");
    assert.ok(room, JSON.stringify(figures));
    for (const [key, name] of [["o", "onion"], ["f", "film"]]) {
      await page.evaluate(() => document.activeElement.blur());
      await page.keyboard.press(key);
      await page.waitForTimeout(500);
      await shot(`18-suggest-${name}`);
    }
  });

  test("a link to a suggestion opens it with the same values", options, async () => {
    const { page, context } = at();
    const other = await context.newPage();
    await other.goto(page.url());
    await other.waitForSelector(".suggest .slider output");
    const values = (from) => from.locator(".suggest .slider output").allTextContents();
    assert.deepEqual(await values(other), await values(page));
    await other.close();
  });

  test("a change is accepted, then rejected with a reason, and both receipts stand", options, async () => {
    const { page, service, api, shot, until } = at();
    // A review that heard the study: the one before it was made without, and what it shows may identify no parameter.
    const { simulation_id, test_id, tolerance_mm } = await api(`/reviews/${at().review}`);
    const review = (await send(service, "POST", "/reviews", { pairs: [{ simulation_id, test_id }], tolerance_mm })).reviews[0].id;
    await until("a review with the study", async () => isFinished(await api(`/reviews/${review}`)), REVIEW_MS);
    await page.goto(`${service.url}/reviews/${review}?panel=suggest`);
    await page.click(".suggest .ask [data-suggest]");
    await untilSuggested(at(), review);
    await page.waitForSelector(".suggest [data-verdict=change]");
    await page.waitForSelector(".change");
    if (!(await page.locator(".change.chosen").count())) await page.click(".change .change-head");
    const flag = page.locator(".change.chosen .flag-links .mark:enabled").first();
    if (await flag.count()) {
      await flag.click();
      await page.waitForSelector(".change.chosen .flag-links .mark[aria-pressed=true]");
    }
    await page.click(".change.chosen [data-decide=accepted]");
    await page.waitForSelector("[data-receipt=accepted]");
    await page.click(".change.chosen [data-decide=rejected]");
    await page.fill(".decide textarea[name=reason]", "the sheet cannot be had in that gauge");
    await page.fill(".decide input[name=author]", "A. Tester");
    await page.click(".decide button[type=submit]");
    await page.waitForSelector("[data-receipt=rejected]");
    const list = await api(`/reviews/${review}/suggestions`);
    const receipts = (await api(`/suggestions/${list.items[0].id}/receipts`)).items;
    assert.deepEqual(receipts.map((each) => each.event), ["suggested", "accepted", "rejected"]);
    assert.deepEqual([receipts[2].note, receipts[2].author], ["the sheet cannot be had in that gauge", "A. Tester"]);
    assert.deepEqual(await complaintsOf(page), [], "axe has nothing to say");
    await page.locator("[data-receipt=rejected]").scrollIntoViewIfNeeded();
    await shot("19-suggest-receipts");
    await page.keyboard.press("t");
    await until("the light theme", async () => (await page.evaluate(() => document.documentElement.dataset.theme)) === "light");
    await page.locator(".suggest .headline").scrollIntoViewIfNeeded();
    await page.waitForTimeout(700);
    assert.deepEqual(await complaintsOf(page), [], "axe has nothing to say in the light theme");
    await shot("20-suggest-light");
    for (const [width, height] of [[1920, 1080], [1100, 760], [700, 900]]) {
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(700);
      await shot(`20-suggest-light-${width}`);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1), false, `the page is wider than ${width} px`);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.keyboard.press("t");
    await page.keyboard.press("i");
    await page.waitForSelector(".suggest", { state: "detached" });
    // What follows looks at the review before, which the board shows again.
    await send(service, "DELETE", `/reviews/${review}?ended=true`);
    await page.goto(`${service.url}/reviews/${at().review}`);
    await page.waitForSelector("[data-camera]");
  });
}
