// Asks axe whether people who see little, use keys only, or use a screen reader can work with what the page shows now.
import axe from "axe-core";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What axe finds, one line a rule: `rule (impact): help – where`. */
export async function complaintsOf(page) {
  // A colour on its way to another is neither of the two.
  await page.evaluate(() => Promise.all(document.getAnimations().map((each) => each.finished.catch(() => null))));
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: { type: "tag", values: tags } }), RULES);
  return violations.map((each) => `${each.id} (${each.impact}): ${each.help} – ${each.nodes.map((node) => node.target.join(" ")).slice(0, 5).join(", ")}`);
}
