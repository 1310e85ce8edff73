// Line charts out of tables: whoever cannot see the chart reads the same numbers.
"use strict";
(() => {
  const COLOURS = { light: ["#1f6feb", "#b45309", "#0f766e", "#8a63d2", "#be185d", "#525c6b"], dark: ["#7db8ff", "#ff9a4d", "#5eead4", "#c4a7ff", "#f9a8d4", "#a3adba"] };
  const HEIGHT = 240;
  const theme = () => (document.documentElement.dataset.bsTheme === "dark" ? "dark" : "light");
  const drawn = new Set();

  // One row per instant: its time, then one number per line.
  const read = (table) => {
    const rows = [...table.tBodies[0].rows];
    const times = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
    const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
    return { names, data: [times, ...names.map((_name, index) => rows.map((row) => Number(row.cells[index + 1].dataset.value)))] };
  };

  const options = (names, width) => {
    const style = getComputedStyle(document.documentElement);
    const axis = { stroke: style.getPropertyValue("--tblr-secondary").trim(), grid: { stroke: style.getPropertyValue("--tblr-border-color").trim(), width: 1 } };
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false } },
      axes: [axis, { ...axis, size: 64, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7, 1e8, 1e9] }],
      scales: { y: { range: (_chart, _least, most) => [0, Math.max(most, 1) * 1.05] } },
      series: [{}, ...names.map((label, index) => ({ label, stroke: COLOURS[theme()][index % COLOURS[theme()].length], width: 2, points: { show: false } }))],
    };
  };

  const draw = (place) => {
    const table = document.getElementById(place.dataset.chart);
    if (!table?.tBodies[0]?.rows.length) return;
    const { names, data } = read(table);
    place.chart?.destroy();
    place.chart = new uPlot(options(names, place.clientWidth), data, place);
    drawn.add(place);
  };

  const drawAll = () => {
    for (const place of drawn) {
      if (place.isConnected) continue;
      place.chart.destroy();
      drawn.delete(place);
    }
    document.querySelectorAll("[data-chart]").forEach(draw);
  };

  document.addEventListener("DOMContentLoaded", () => {
    drawAll();
    new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  });
  document.addEventListener("htmx:afterSettle", (event) => event.detail.elt.querySelector?.("[data-chart]") && drawAll());
  addEventListener("resize", () => drawn.forEach((place) => place.chart.setSize({ width: place.clientWidth, height: HEIGHT })));
})();
