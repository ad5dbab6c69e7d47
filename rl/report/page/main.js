// Puts the page together.

const model = JSON.parse(document.getElementById("model").textContent);
const THEMES = ["system", "light", "dark"];

function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  const button = document.getElementById("theme");
  button.textContent = `Theme: ${name}`;
  button.setAttribute("aria-label", `Colour theme: ${name}. Change it.`);
}

// Pages opened from a file may have no storage of their own.
function remembered(name) {
  try {
    if (name) localStorage.setItem("proofgrad-theme", name);
    return localStorage.getItem("proofgrad-theme");
  } catch { return null; }
}

// An older browser has the light colours alone.
document.getElementById("theme").hidden = !CSS.supports("color", "light-dark(#fff, #000)");
let theme = THEMES.includes(remembered()) ? remembered() : "system";
setTheme(theme);
document.getElementById("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  setTheme(theme);
  remembered(theme);
});

// What one part cannot make of its data, a file of an older version say, costs that part and not the page.
function drawn(part) {
  try { return part(model); } catch (error) {
    reportError(error);
    return el("p", { class: "notice is-warning", role: "alert" }, el("strong", {}, "! Take care: "), `a part of this report cannot be drawn (${error.message}).`);
  }
}

const warnings = (m) => notices(m.notices.filter((n) => n.kind === "warning"));
const notes = (m) => notices(m.notices.filter((n) => n.kind !== "warning"));
const parts = [warnings, hero, notes, domains, comparisons, curves, cost, chains, failures, lineage, samples, configuration].map(drawn).filter(Boolean);
document.getElementById("main").replaceChildren(...parts);
const SHORT = { domains: "Domains", comparisons: "Comparisons", curves: "Training", cost: "Cost", chains: "Chains", reasons: "Reasons", lineage: "Lineage", samples: "Samples", configuration: "Settings" };
document.getElementById("nav").append(...parts.filter((p) => SHORT[p.id]).map((p) => el("a", { href: `#${p.id}` }, SHORT[p.id])));
document.getElementById("foot").append(`Made ${model.made} by proofgrad ${model.version}. This page holds all of its data and asks nothing of any network.`);

// Paper has no folds to open. What is opened for it is closed again, but the data tables, which it leaves out.
let unfolded = [];
window.addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("details:not([open], .data)")];
  for (const fold of unfolded) fold.open = true;
  for (const chart of document.querySelectorAll("figure.chart")) chart.redraw(); // nothing else draws before it is printed
});
window.addEventListener("afterprint", () => {
  for (const fold of unfolded) fold.open = false;
  unfolded = [];
});

document.documentElement.dataset.ready = "true";
