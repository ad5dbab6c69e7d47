// Two kinds of chart, drawn as SVG at the width they have: lines with bands, and marks with whiskers.

const SERIES = 6; // colours in the style sheet; dashes and marks repeat with them
const DASHES = ["none", "7 4", "2 4", "9 3 2 3", "12 4", "4 2"];
const MARKS = [
  (x, y) => draw("circle", { cx: x, cy: y, r: 4.5 }),
  (x, y) => draw("rect", { x: x - 4, y: y - 4, width: 8, height: 8 }),
  (x, y) => draw("path", { d: `M${x} ${y - 5.5}L${x + 5.5} ${y + 4}H${x - 5.5}Z` }),
  (x, y) => draw("path", { d: `M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z` }),
  (x, y) => draw("path", { d: `M${x} ${y + 5.5}L${x + 5.5} ${y - 4}H${x - 5.5}Z` }),
  (x, y) => draw("path", { d: `M${x - 5} ${y - 2}H${x - 2}V${y - 5}H${x + 2}V${y - 2}H${x + 5}V${y + 2}H${x + 2}V${y + 5}H${x - 2}V${y + 2}H${x - 5}Z` }),
];
const mark = (index, x, y, extra = "") =>
  put(MARKS[index % SERIES](x, y), { class: `mark-${index % SERIES} ${extra}` }, []);

function niceTicks(low, high, count) {
  if (!(high > low)) { low -= Math.abs(low) * 0.1 || 0.5; high += Math.abs(high) * 0.1 || 0.5; }
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const from = Math.floor(low / step + 1e-9), to = Math.ceil(high / step - 1e-9);
  return Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toPrecision(12)));
}

function logTicks(low, high) {
  const found = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
    for (const m of high / low > 8 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8]) found.push(m * 10 ** e);
  const inside = found.filter((t) => t >= low * 0.999 && t <= high * 1.001);
  return inside.length > 1 ? inside : [low, high];
}

function legend(names, withLines, withMarks) {
  return el("ul", { class: "legend" }, names.map((name, i) =>
    el("li", {},
      draw("svg", { width: withLines ? 30 : 14, height: 14, "aria-hidden": "true", viewBox: withLines ? "0 0 30 14" : "0 0 14 14" },
        withLines ? draw("path", { d: "M0 7H30", class: `line-${i % SERIES}`, "stroke-dasharray": DASHES[i % SERIES] }) : null,
        withMarks ? mark(i, withLines ? 15 : 7, 7) : null),
      name)));
}

// A figure that redraws itself when its width changes, with one readout for the pointer and the keyboard.
// `spec.render(width)` returns {svg, stops: [{x, y, lines: [heading, ...]}], along: "x" | "xy", show(stop) | undefined}.
function figure(spec) {
  const tip = el("div", { class: "tip", hidden: true });
  const said = el("div", { class: "unseen", "aria-live": "polite" });
  const stage = el("div", {
    class: "stage", tabindex: "0", role: "group", "aria-roledescription": "chart",
    "aria-label": `${spec.title}. ${spec.summary} Arrow keys read the values.`,
  });
  let drawn = null, at = -1, width = 0;

  function show(index, speak) {
    at = index;
    const stop = drawn && drawn.stops[index];
    tip.hidden = !stop;
    if (drawn && drawn.show) drawn.show(stop || null);
    if (!stop) return;
    tip.replaceChildren(...stop.lines.map((line, i) => el(i ? "div" : "strong", {}, line)));
    const room = stage.clientWidth, w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = `${Math.max(0, stop.x + 14 + w > room ? stop.x - w - 14 : stop.x + 14)}px`;
    tip.style.top = `${Math.max(0, stop.y - h / 2)}px`;
    if (speak) said.textContent = stop.lines.map((l) => (typeof l === "string" ? l : l.textContent)).join(", ");
  }

  function redraw() {
    const now = Math.floor(stage.clientWidth);
    if (!now || now === width) return;
    width = now;
    drawn = spec.render(now);
    drawn.svg.setAttribute("aria-hidden", "true");
    stage.replaceChildren(drawn.svg, tip);
    show(-1);
  }

  stage.addEventListener("pointermove", (event) => {
    if (!drawn) return;
    const box = stage.getBoundingClientRect(), px = event.clientX - box.left, py = event.clientY - box.top;
    let best = -1, least = Infinity;
    drawn.stops.forEach((stop, i) => {
      const away = Math.abs(stop.x - px) + (drawn.along === "xy" ? 4 * Math.abs(stop.y - py) : 0);
      if (away < least) [best, least] = [i, away];
    });
    if (best !== at) show(best);
  });
  stage.addEventListener("pointerleave", () => show(-1));
  stage.addEventListener("blur", () => show(-1));
  stage.addEventListener("keydown", (event) => {
    const last = drawn ? drawn.stops.length - 1 : -1;
    const to = {
      ArrowRight: Math.min(last, at + 1), ArrowDown: Math.min(last, at + 1), ArrowLeft: Math.max(0, at - 1),
      ArrowUp: Math.max(0, at - 1), Home: 0, End: last, Escape: -1,
    }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    show(to, true);
  });
  new ResizeObserver(redraw).observe(stage);
  const home = el("figure", { class: `chart ${spec.wide ? "wide" : ""}` },
    el("figcaption", {}, el("span", { class: "title" }, spec.title), spec.note ? el("span", { class: "note" }, spec.note) : null),
    spec.names && spec.names.length > 1 ? legend(spec.names, spec.lines, spec.marks) : null,
    stage, said, spec.data);
  home.redraw = redraw;
  return home;
}

// spec: {title, note, x: {label, log, format}, y: {format, low, high, label}, series: [{name, points: [{x, y, low, high, note}]}]}
// Null where no series has a point, as in a domain with one problem.
function lineChart(spec) {
  const all = spec.series.flatMap((s) => s.points);
  if (!all.length) return null;
  const xs = [...new Set(all.map((p) => p.x))].sort((a, b) => a - b);
  const fy = spec.y.format || number, fx = spec.x.format || number;
  const hasBand = all.some((p) => p.low !== undefined);
  const ends = spec.series.filter((s) => s.points.length).map((s) => {
    const last = s.points[s.points.length - 1];
    return `${s.name} ends at ${fy(last.y)}`;
  });
  const rows = () => spec.series.flatMap((s) =>
    s.points.map((p) => [fx(p.x), s.name, fy(p.y), ...(hasBand ? [p.low === undefined ? null : interval(p, fy)] : []), ...(p.note ? [p.note] : [])]));

  function render(width) {
    const height = Math.round(Math.min(spec.wide ? 300 : 210, Math.max(170, width * 0.55)));
    const lows = all.map((p) => p.low ?? p.y), highs = all.map((p) => p.high ?? p.y);
    const yTicks = spec.y.low === 0 && spec.y.high === 1 ? [0, 0.25, 0.5, 0.75, 1] : niceTicks(Math.min(spec.y.low ?? Infinity, ...lows), Math.max(spec.y.high ?? -Infinity, ...highs), 4);
    const labels = yTicks.map(fy), left = 12 + 6.8 * Math.max(...labels.map((l) => l.length));
    const right = 14, top = 10, bottom = 38;
    const [y0, y1] = [yTicks[0], yTicks[yTicks.length - 1]];
    let [x0, x1] = [xs[0], xs[xs.length - 1]];
    if (x0 === x1) [x0, x1] = spec.x.log ? [x0 / 2, x1 * 2] : [x0 - 0.5, x1 + 0.5];
    const place = spec.x.log ? Math.log10 : (v) => v;
    const edge = all.length <= 24 * spec.series.length && hasBand ? 16 : 0; // marks and whiskers stay off the axis
    const X = (v) => left + edge + ((place(v) - place(x0)) / (place(x1) - place(x0))) * (width - left - right - 2 * edge);
    const Y = (v) => top + (1 - (Math.min(y1, Math.max(y0, v)) - y0) / (y1 - y0)) * (height - top - bottom);
    const svg = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    yTicks.forEach((t, i) => svg.append(
      draw("line", { x1: left, x2: width - right, y1: Y(t), y2: Y(t), class: i ? "grid" : "axis" }),
      draw("text", { x: left - 8, y: Y(t) + 4, "text-anchor": "end", class: "tick" }, labels[i])));
    let xTicks = spec.x.ticks || (spec.x.log ? logTicks(x0, x1) : niceTicks(x0, x1, Math.max(4, Math.floor(width / 90))));
    xTicks = xTicks.filter((t) => t >= x0 && t <= x1 && (!spec.x.whole || Number.isInteger(t)));
    let clear = -Infinity;
    for (const t of xTicks) {
      const half = 3.4 * fx(t).length, x = Math.min(Math.max(X(t), half), width - half - 2);
      if (x - half < clear) continue;
      clear = x + half + 12;
      svg.append(draw("line", { x1: X(t), x2: X(t), y1: height - bottom, y2: height - bottom + 4, class: "axis" }),
        draw("text", { x, y: height - bottom + 17, "text-anchor": "middle", class: "tick" }, fx(t)));
    }
    svg.append(draw("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle", class: "label" }, spec.x.label));
    spec.series.forEach((s, i) => {
      if (!s.points.length) return;
      const banded = s.points.filter((p) => p.low !== undefined);
      if (banded.length > 1 && spec.series.length < 3) {
        const up = banded.map((p) => `${X(p.x)} ${Y(p.high)}`), down = banded.map((p) => `${X(p.x)} ${Y(p.low)}`).reverse();
        svg.append(draw("path", { d: `M${up.concat(down).join("L")}Z`, class: `band-${i % SERIES}` }));
      }
      const few = s.points.length <= 24, aside = few && hasBand ? 5 * (i - (spec.series.length - 1) / 2) : 0; // whiskers stand beside each other
      const path = (list) => "M" + list.map((p) => `${(X(p.x) + aside).toFixed(1)} ${Y(p.y).toFixed(1)}`).join("L");
      const smooth = spec.smooth && s.points.length > 3 * spec.smooth;
      if (smooth) svg.append(draw("path", { d: path(s.points), class: `line-${i % SERIES} faint` }));
      const shown = smooth ? trailing(s.points, spec.smooth) : s.points;
      svg.append(draw("path", { d: path(shown), class: `line-${i % SERIES}`, "stroke-dasharray": DASHES[i % SERIES] }));
      if (few && hasBand) for (const p of s.points) {
        if (p.low !== undefined) svg.append(draw("line", { x1: X(p.x) + aside, x2: X(p.x) + aside, y1: Y(p.low), y2: Y(p.high), class: `whisker-${i % SERIES} faint` }));
        svg.append(mark(i, X(p.x) + aside, Y(p.y)));
      }
    });
    const hair = draw("line", { y1: top, y2: height - bottom, class: "hair", visibility: "hidden" });
    svg.append(hair);
    const at = spec.series.map((s) => new Map(s.points.map((p) => [p.x, p])));
    const stops = xs.map((x) => {
      const found = at.map((m) => m.get(x));
      const first = found.find(Boolean);
      return {
        x: X(x), y: Y(first.y),
        lines: [`${spec.x.label} ${fx(x)}`, ...found.flatMap((p, i) => p
          ? [`${spec.series[i].name}: ${fy(p.y)}${p.low === undefined ? "" : ` (${interval(p, fy)})`}${p.note ? `, ${p.note}` : ""}`] : [])],
      };
    });
    const show = (stop) => {
      hair.setAttribute("visibility", stop ? "visible" : "hidden");
      if (stop) { hair.setAttribute("x1", stop.x); hair.setAttribute("x2", stop.x); }
    };
    return { svg, stops, along: "x", show };
  }

  const notes = all.some((p) => p.note);
  return figure({
    ...spec, render, lines: true, marks: hasBand, names: spec.series.map((s) => s.name), summary: ends.join("; ") + ".",
    data: dataTable(spec.title, [spec.x.label, "series", spec.y.label || "value", ...(hasBand ? ["95% interval"] : []), ...(notes ? ["note"] : [])], rows),
  });
}

// The mean of the last `window` points.
const trailing = (list, window) => list.map((p, i) => {
  const part = list.slice(Math.max(0, i - window + 1), i + 1);
  return { x: p.x, y: part.reduce((sum, q) => sum + q.y, 0) / part.length };
});

// spec: {title, note, rows: [{name, marks: [estimate | null, ...]}], names: [...], format, low, high, zero, label}
function markChart(spec) {
  const format = spec.format || percent;
  const all = spec.rows.flatMap((row) => row.marks.filter(Boolean));
  function render(width) {
    const each = 22, gap = 22, wide = width > 560;
    // A name that is too long for the picture is cut there; the readout and the table have all of it.
    const most = wide ? 32 : Math.floor(width / 8.5), names = spec.rows.map((row) => (row.name.length > most ? `${row.name.slice(0, most - 1)}\u2026` : row.name));
    const left = wide ? 24 + 7.4 * Math.max(...names.map((name) => name.length)) : 12, head = wide ? 0 : 20;
    const top = 8, bottom = 40, right = 22;
    const heights = spec.rows.map((row) => head + each * row.marks.length + gap);
    const height = top + heights.reduce((a, b) => a + b, 0) + bottom;
    const ticks = niceTicks(Math.min(spec.low ?? Infinity, ...all.map((e) => e.low)), Math.max(spec.high ?? -Infinity, ...all.map((e) => e.high)), wide ? 6 : 4);
    const [x0, x1] = [ticks[0], ticks[ticks.length - 1]];
    const X = (v) => left + ((v - x0) / (x1 - x0)) * (width - left - right);
    const svg = draw("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    for (const t of ticks) svg.append(
      draw("line", { x1: X(t), x2: X(t), y1: top, y2: height - bottom, class: t === 0 && spec.zero ? "axis" : "grid" }),
      draw("text", { x: X(t), y: height - bottom + 18, "text-anchor": "middle", class: "tick" }, format(t)));
    svg.append(draw("text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle", class: "label" }, spec.label));
    const stops = [];
    let y = top;
    spec.rows.forEach((row, r) => {
      const middle = y + head + (each * row.marks.length + gap) / 2;
      svg.append(draw("text", wide
        ? { x: left - 16, y: middle + 4, "text-anchor": "end", class: "name" }
        : { x: left - 12, y: y + 16, class: "name" }, names[r]));
      row.marks.forEach((e, i) => {
        if (!e) return;
        const line = y + head + gap / 2 + each * (i + 0.5);
        svg.append(
          draw("line", { x1: X(e.low), x2: X(e.high), y1: line, y2: line, class: `whisker-${i % SERIES}` }),
          draw("path", { d: `M${X(e.low)} ${line - 4}V${line + 4}M${X(e.high)} ${line - 4}V${line + 4}`, class: `whisker-${i % SERIES}` }),
          mark(i, X(e.mean), line));
        stops.push({ x: X(e.mean), y: line, lines: [row.name, `${spec.names[i]}: ${format(e.mean)}`, `95% interval ${interval(e, format)}`] });
      });
      y += heights[r];
      if (r < spec.rows.length - 1) svg.append(draw("line", { x1: 0, x2: width - right, y1: y, y2: y, class: "rule" }));
    });
    return { svg, stops, along: "xy" };
  }
  const rows = () => spec.rows.flatMap((row) => row.marks.map((e, i) => [row.name, spec.names[i], e && format(e.mean), e && interval(e, format)]));
  return figure({
    ...spec, render, marks: true, summary: `${spec.rows.length} rows, ${spec.names.length} marks each.`, wide: true,
    data: dataTable(spec.title, ["domain", "mark", spec.label, "95% interval"], rows),
  });
}
