"use strict";
// Draws each figure when it comes near the screen, in the scheme's colours, and sorts tables by a column.
(() => {
  const drawn = new Set();
  const coarse = matchMedia("(pointer: coarse)").matches;

  function draw(plot) {
    const style = getComputedStyle(document.documentElement);
    const text = document.getElementById(plot.dataset.figure).textContent;
    const colour = (_, name) => style.getPropertyValue(name).trim();
    const figure = JSON.parse(text.replace(/var\((--[\w-]+)\)/g, colour));
    const small = !plot.classList.contains("plane");
    if (coarse || small) figure.layout.dragmode = false; // a finger scrolls the page
    Plotly.react(plot, figure.data, figure.layout, {
      responsive: true, displaylogo: false, displayModeBar: small || coarse ? false : "hover",
      // Named one by one: the default set has a button that sends a figure to a company's server.
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    });
    drawn.add(plot);
  }

  const plots = [...document.querySelectorAll("[data-figure]")];
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting && !drawn.has(target)) { near.unobserve(target); draw(target); }
  }, { rootMargin: "600px" });
  plots.forEach((plot) => near.observe(plot));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));
  const visible = () => plots.filter((plot) => plot.offsetWidth);
  matchMedia("print").addEventListener("change", () => visible().forEach(draw));

  // Sorts numbers by size and everything else by name; cells without a value stay at the bottom.
  const key = ({ dataset: { value }, textContent }) =>
    value === undefined ? textContent.trim() : Number(value || NaN);
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.querySelectorAll("thead tr:last-child th")];
    heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
      const first = head.dataset.first ?? "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? other : first;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [key(row.cells[column]), row]);
      rows.sort(([a], [b]) => {
        if (typeof a === "string") return sign * a.localeCompare(b, undefined, { numeric: true });
        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
        return a === b ? 0 : sign * (a < b ? -1 : 1);
      });
      rows.forEach(([, row]) => { row.classList.remove("first"); body.append(row); });
    }));
  }
})();
