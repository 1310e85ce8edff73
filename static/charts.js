// Line charts out of tables, and out of an address with a table beside them: whoever cannot see the
// chart reads the same numbers.
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
    for (const place of drawn) if (place.shown) drawMeasured(place);
  };

  // Charts that are asked for every few seconds. Nothing is drawn anew but what moved: who reads the
  // chart or the table keeps their place.
  const element = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });
  const hours = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
  const seconds = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  const line = (chart, value, css) => {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = css;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    const at = chart.valToPos(value, value > 1e9 ? "x" : "y", true);
    if (value > 1e9) (ctx.moveTo(at, bbox.top), ctx.lineTo(at, bbox.top + bbox.height));
    else (ctx.moveTo(bbox.left, at), ctx.lineTo(bbox.left + bbox.width, at));
    ctx.stroke();
    ctx.restore();
    return at;
  };
  const label = (chart, text, left, top) => {
    chart.ctx.save();
    chart.ctx.fillStyle = getComputedStyle(chart.root).color;
    chart.ctx.font = `${11 * devicePixelRatio}px sans-serif`;
    chart.ctx.textAlign = "left";
    chart.ctx.textBaseline = "alphabetic";
    chart.ctx.fillText(text, left, top);
    chart.ctx.restore();
  };
  const drawOver = (chart, { thresholds, marks }) => {
    const style = getComputedStyle(document.documentElement);
    const { left, top, width } = chart.bbox;
    const gap = 4 * devicePixelRatio;
    for (const { value, label: text } of thresholds) {
      const at = line(chart, value, style.getPropertyValue("--tblr-danger").trim());
      label(chart, text, left + gap, at + 13 * devicePixelRatio);
    }
    for (const { at: time, label: text } of marks) {
      const at = chart.valToPos(time, "x", true);
      if (at < left || at > left + width) continue;
      line(chart, time, style.getPropertyValue("--tblr-secondary").trim());
      label(chart, text, at + gap, top + 12 * devicePixelRatio);
    }
  };
  const measuredOptions = (place, width) => {
    const { lines } = place.shown;
    const made = options(lines.map((line) => line.name), width);
    lines.forEach((line, index) => (made.series[index + 1].stroke = COLOURS[theme()][line.colour]));
    const most = () => Math.max(0, ...place.shown.thresholds.map((one) => one.value));
    made.scales.y.range = (_chart, least, top) => [(place.shown.least ?? Math.min(least ?? 0, 0)) * 1.15, Math.max(top ?? 0, most(), 0.1) * 1.15];
    made.axes[0].space = 80;
    made.axes[1].incrs = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, ...made.axes[1].incrs];
    const said = (ticks) => (ticks[1] - ticks[0] < 60 ? seconds : hours);
    made.axes[0].values = (_chart, ticks) => ticks.map((tick) => said(ticks).format(tick * 1000));
    made.hooks = { draw: [(chart) => drawOver(chart, place.shown)] };
    return made;
  };
  // Charts of differences have times and lines of their own; a legend says what those are.
  const legend = (lines) => element("ul", { className: "legend mb-3" }, ...lines.map((line) => element("li", {}, element("span", { className: `dot chart-${line.colour}` }), line.name)));
  const figure = (box, chart, names, index) => {
    const { wordsChart, wordsTable, wordsTime } = box.dataset;
    const heads = [wordsTime, ...names].map((name) => element("th", { scope: "col", textContent: name }));
    const table = element("table", { className: "table table-sm" }, element("caption", { className: "visually-hidden", textContent: chart.title }), element("thead", {}, element("tr", {}, ...heads)), element("tbody"));
    const scrolled = element("div", { className: "table-responsive numbers", tabIndex: 0, role: "region", ariaLabel: chart.title }, table);
    const place = element("div", { className: "chart", role: "img", ariaLabel: `${chart.title}. ${wordsChart}` });
    const details = element("details", { id: `numbers-${index}`, className: "mb-3" }, element("summary", { textContent: `${wordsTable}: ${chart.title}` }), scrolled);
    box.querySelector("[data-chart-list]").append(element("h3", { className: "h4 mb-1", textContent: chart.unit ? `${chart.title} (${chart.unit})` : chart.title }), ...(chart.lines ? [legend(chart.lines)] : []), place, details);
    return { place, body: table.tBodies[0] };
  };
  const fill = (body, times, series) => {
    const rows = times.map((time, at) => {
      const head = element("th", { scope: "row" }, element("time", { dateTime: new Date(time * 1000).toISOString(), textContent: clock.format(time * 1000) }));
      return element("tr", {}, head, ...series.map((values) => element("td", { textContent: values[at] ?? "–" })));
    });
    body.replaceChildren(...rows.reverse());
  };
  const showMeasured = (box, found) => {
    const list = box.querySelector("[data-chart-list]");
    const told = JSON.stringify(found);
    if (told === box.told) return;
    box.told = told;
    if (!found.times.length) return void (list.textContent = box.dataset.wordsNone);
    const key = JSON.stringify([found.lines, found.charts.map((chart) => chart.title)]);
    if (box.key !== key) {
      box.key = key;
      list.replaceChildren(legend(found.lines));
      box.figures = found.charts.map((chart, index) => figure(box, chart, (chart.lines ?? found.lines).map((line) => line.name), index));
    }
    found.charts.forEach((chart, index) => {
      const { place, body } = box.figures[index];
      const { times, lines } = { ...found, ...chart };
      place.shown = { thresholds: chart.thresholds, least: chart.least, marks: found.marks, data: [times, ...chart.series], lines };
      if (place.chart) place.chart.setData(place.shown.data);
      else drawMeasured(place);
      fill(body, times, chart.series);
    });
  };
  const drawMeasured = (place) => {
    place.chart?.destroy();
    place.chart = new uPlot(measuredOptions(place, place.clientWidth), place.shown.data, place);
    drawn.add(place);
  };
  const askMeasured = async (box) => {
    if (document.hidden && box.told) return;
    try {
      const answer = await fetch(box.dataset.charts, { headers: { Accept: "application/json" } });
      if (answer.ok && box.isConnected) showMeasured(box, await answer.json());
    } catch {
      // The portal is away for a moment: what is shown stays, and it is asked again.
    }
  };
  const followMeasured = (box) => {
    askMeasured(box);
    setInterval(() => askMeasured(box), box.dataset.every * 1000);
  };

  document.addEventListener("DOMContentLoaded", () => {
    drawAll();
    document.querySelectorAll("[data-charts]").forEach(followMeasured);
    new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  });
  document.addEventListener("htmx:afterSettle", (event) => event.detail.elt.querySelector?.("[data-chart]") && drawAll());
  addEventListener("resize", () => drawn.forEach((place) => place.chart.setSize({ width: place.clientWidth, height: HEIGHT })));
})();
