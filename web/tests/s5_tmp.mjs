import { chromium } from "playwright-core"; import { browserPath } from "./service.mjs";
const [url, review] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: browserPath(), args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "dark", bypassCSP: true });
const page = await context.newPage();
await page.goto(`${url}/reviews/${review}`); await page.waitForSelector("[data-camera]"); await page.waitForTimeout(3000);
const line = await page.locator("[data-timeline]").boundingBox();
const scrub = () => page.evaluate(async ({ x, y, width }) => {
  const svg = document.querySelector("[data-timeline]");
  const send = (kind, at) => svg.dispatchEvent(new PointerEvent(kind, { bubbles: true, pointerId: 1, clientX: at, clientY: y + 10, button: 0, buttons: 1 }));
  svg.setPointerCapture = () => {}; svg.hasPointerCapture = () => true;
  let n = 0; send("pointerdown", x + 160); const began = performance.now(); let at = 0;
  while (performance.now() - began < 3000) { at += 1; const share = Math.abs(((at / 16) % 2) - 1); send("pointermove", x + 155 + share * (width - 172)); await new Promise((d) => requestAnimationFrame(d)); n++; }
  send("pointerup", x + 160); return +(n / 3).toFixed(1);
}, line);
const two = async () => [await scrub(), await scrub()];
console.log("all", await two());
await page.locator(".space .bar input").nth(0).click(); console.log("no mesh edges", await two());
await page.keyboard.press("l"); console.log("no flags", await two());
await page.keyboard.press("d"); console.log("no colours", await two());
for (const css of [".badges{display:none!important}", ".curves{display:none!important}", ".line svg *{visibility:hidden}", "canvas.stage{visibility:hidden}"]) { await page.addStyleTag({ content: css }); console.log(css, await two()); }
await browser.close();
