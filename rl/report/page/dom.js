// Elements, and numbers as people read them. Whatever comes from a run enters the page as a text node or an attribute.

// What a reader cannot see, or what changes the order in which others are shown: each becomes its code point.
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u034F\u115F\u1160\u17B4\u17B5\u2800\u3164\uFFA0\uFE00-\uFE0F\u{E0100}-\u{E01EF}]/gu;
const seen = (text) =>
  text.replaceAll("\r\n", "\n").replace(UNSEEN, (c) => `\u27E8U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27E9`);

function put(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  const shown = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== "");
  node.append(...shown.map((child) => (typeof child === "string" ? seen(child) : child)));
  return node;
}

const el = (name, attributes = {}, ...children) => put(document.createElement(name), attributes, children);
const draw = (name, attributes = {}, ...children) =>
  put(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

const MINUS = "\u2212";
const minus = (text) => text.replace(/^-/, MINUS);
const percent = (value) => minus((100 * value).toFixed(1)) + "%";
const points = (value) => Math.abs(value) < 5e-7 ? "0" : (value < 0 ? MINUS : "+") + Math.abs(100 * value).toFixed(1);
const whole = (value) => minus(Math.round(value).toLocaleString("en-US"));

function number(value) {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1000) return whole(value);
  if (size >= 10) return minus(String(Number(value.toFixed(size >= 100 ? 0 : 1))));
  if (size >= 0.01) return minus(String(Number(value.toPrecision(3))));
  return minus(value.toExponential(1));
}

const counted = (n, noun) => `${whole(n)} ${noun}${n === 1 ? "" : "s"}`;

function duration(seconds) {
  if (seconds > 0 && seconds < 0.1) return number(seconds * 1000) + " ms";
  if (seconds < 1) return number(seconds) + " s";
  if (seconds < 120) return seconds.toFixed(1) + " s";
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  return (seconds / 3600).toFixed(1) + " h";
}

const interval = (e, format = percent) => `${format(e.low)} to ${format(e.high)}`;
const estimate = (e) => `${percent(e.mean)} [${(100 * e.low).toFixed(1)}, ${(100 * e.high).toFixed(1)}]`.replaceAll("-", MINUS);
const signed = (e) => `${points(e.mean)} [${points(e.low)}, ${points(e.high)}]`;

// A sign for each state: shape and word say it, colour only repeats it.
const SIGNS = {
  __proto__: null,
  pass: ["\u2713", "pass"], fail: ["\u2717", "fail"], unknown: ["?", "unknown"],
  better: ["\u25B2", "better"], worse: ["\u25BC", "worse"], tied: ["=", "tied"], undecided: ["~", "undecided"],
  good: ["\u2713", "good"], bad: ["\u2717", "needs attention"], warn: ["!", "take care"], none: ["\u2013", "not measured"],
};
function sign(state, word) {
  const [shape, usual] = SIGNS[state] || ["\u2013", state];
  return el("span", { class: `sign is-${state}` }, el("span", { class: "shape", "aria-hidden": "true" }, shape), word || usual);
}

const WORDS = new Set(["evaluation", "way", "series", "note", "mark", "the run said"]); // columns that are read, not added up
function table(caption, heads, rows) {
  const look = heads.map((h) => (WORDS.has(h) ? "words" : null));
  const head = heads.map((h, i) => el("th", { scope: "col", class: look[i] }, h));
  const body = rows.map((row) =>
    el("tr", {}, row.map((cell, i) => el(i ? "td" : "th", i ? { class: look[i] } : { scope: "row" }, cell ?? "\u2013"))));
  // It scrolls sideways by itself where it is too wide, which the keyboard must be able to do as well.
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)));
}

// A table behind a chart, made when it is first opened.
function dataTable(caption, heads, rows) {
  const box = el("details", { class: "data" }, el("summary", {}, "Data table"));
  box.addEventListener("toggle", () => {
    if (box.open && box.children.length === 1) box.append(table(caption, heads, rows()));
  });
  return box;
}
