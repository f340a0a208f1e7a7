// Runs before the first paint, so that the page does not flash in the other theme.
(() => {
  let wanted = null;
  try {
    wanted = JSON.parse(localStorage.getItem("crumple.theme"));
  } catch {
    // No storage, no wish: the system decides.
  }
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = wanted === "dark" || wanted === "light" ? wanted : dark ? "dark" : "light";
})();
