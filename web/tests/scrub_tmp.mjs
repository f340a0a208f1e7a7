// node tests/scrub_tmp.mjs URL REVIEW
import { chromium } from "playwright-core";
import { browserPath } from "./service.mjs";
const ARGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];
const [url, review, query = ""] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: browserPath(), args: ARGS });
const context = await browser.newContext({ bypassCSP: true, viewport: { width: 1440, height: 900 }, colorScheme: "dark" });
const firsts = [];
for (let i = 0; i < 3; i++) {
  const page = await context.newPage();
  await page.goto(`${url}/reviews/${review}${query}`);
  await page.waitForSelector("[data-camera]");
  for (;;) { const f = await page.evaluate(() => performance.getEntriesByName("first picture")[0]?.startTime ?? null); if (f) { firsts.push(Math.round(f)); break; } await page.waitForTimeout(20); }
  if (i == 0) console.log(JSON.stringify(await page.evaluate(() => performance.getEntriesByType("resource").map((e) => [e.name.replace(/.*\/\/[^/]*/, ""), Math.round(e.startTime), Math.round(e.responseEnd)]).slice(0, 14))));
  if (i < 2) await page.close();
}
const page = context.pages()[0];
await page.waitForTimeout(3000);
const line = await page.locator("[data-timeline]").boundingBox();
const scrub = () => page.evaluate(async ({ x, y, width }) => {
  const svg = document.querySelector("[data-timeline]");
  const send = (kind, at) => svg.dispatchEvent(new PointerEvent(kind, { bubbles: true, pointerId: 1, clientX: at, clientY: y + 10, button: 0, buttons: 1 }));
  svg.setPointerCapture = () => {}; svg.hasPointerCapture = () => true;
  const clock = document.querySelector(".clock");
  let shown = 0, before = clock.textContent; send("pointerdown", x + 160); const began = performance.now(); let at = 0;
  while (performance.now() - began < 3000) {
    at += 1; const share = Math.abs(((at / 16) % 2) - 1);
    send("pointermove", x + 155 + share * (width - 172));
    await new Promise((done) => requestAnimationFrame(done));
    if (clock.textContent !== before) shown += 1; before = clock.textContent;
  }
  send("pointerup", x + 160);
  return +(shown / ((performance.now() - began) / 1000)).toFixed(1);
}, line);
const all = []; for (let i = 0; i < 4; i++) all.push(await scrub());
await page.waitForTimeout(1200);
await page.screenshot({ path: "/tmp/an/desk.png" });
const hidden = async (css) => { const h = await page.addStyleTag({ content: css }); await page.waitForTimeout(500); const r = [await scrub(), await scrub()]; await h.evaluate((e) => e.remove()); await page.waitForTimeout(300); return r; };
console.log(JSON.stringify({ firsts, all, no_space: await hidden(".space{display:none!important}"), no_curves: await hidden(".curves{display:none!important}"), no_canvas: await hidden("canvas.stage{display:none!important}") }));
await browser.close();
