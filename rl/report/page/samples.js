// The sample browser: an index that is there at once, texts that are unpacked behind it, and a list of visible rows only.

const ROW_HEIGHT = 58;

async function unpacked(node) {
  const text = node.textContent.trim();
  let bytes;
  if (Uint8Array.fromBase64) bytes = Uint8Array.fromBase64(text);
  else {
    const raw = atob(text);
    bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  }
  node.textContent = "";
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

const known = (value, format) => (value === null || value === undefined ? null : format(value));

function sampleBrowser() {
  const home = el("div", { class: "browser" });
  if (typeof DecompressionStream === "undefined") {
    home.append(el("p", { class: "card" }, "This browser cannot unpack the samples (it has no DecompressionStream). ",
      "A version of Chrome, Edge, Firefox or Safari from 2023 or later can; the parquet files of the run hold them too."));
    return home;
  }
  const status = el("p", { class: "count", role: "status" }, "Unpacking\u2026");
  home.append(status);
  unpacked(document.getElementById("samples-index")).then(
    (index) => build(home, status, index),
    (error) => { status.textContent = `The samples cannot be unpacked: ${error.message}`; });
  return home;
}

function build(home, status, index) {
  const { columns, names, chunk } = index;
  const size = columns.task.length;
  const nodes = [...document.querySelectorAll("script.samples-texts")];
  const texts = new Array(nodes.length), search = new Array(size);
  const part = (n) => (texts[n] ||= unpacked(nodes[n]));
  const value = (name, i) => names[name][columns[name][i]];

  const FILTERS = [["evaluation", "Evaluation"], ["domain", "Domain"], ["outcome", "Outcome"], ["reason", "Reason"], ["split", "Split"], ["turns", "Turns"]];
  const selects = FILTERS.map(([name, label]) => {
    const counts = new Array(names[name].length).fill(0);
    for (const code of columns[name]) counts[code]++;
    const order = counts.map((_, i) => i);
    if (name === "reason") order.sort((a, b) => counts[b] - counts[a]);
    const select = el("select", { id: `filter-${name}`, change: refresh },
      el("option", { value: "" }, `All (${whole(size)})`),
      order.map((i) => el("option", { value: i }, `${names[name][i]} (${whole(counts[i])})`)));
    return { name, select, field: el("label", { class: "field" }, el("span", {}, label), select) };
  });
  const query = el("input", { type: "search", id: "search", placeholder: "Words in prompts, answers, feedback", autocomplete: "off", spellcheck: "false" });
  let timer = 0;
  query.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(refresh, 120); });
  const clear = el("button", { type: "button", class: "quiet", click: () => {
    for (const { select } of selects) select.value = "";
    query.value = "";
    refresh();
    query.focus();
  } }, "Clear filters");
  const list = el("div", { class: "list", role: "listbox", tabindex: "0", id: "samples-list", "aria-label": "Samples. Up and down move, Enter opens, Escape comes back." });
  const inner = el("div", { class: "inner", role: "presentation" });
  list.append(inner);
  const said = el("div", { class: "unseen", "aria-live": "polite" });
  const detail = el("article", { class: "detail", tabindex: "-1", "aria-label": "Sample" },
    el("p", { class: "empty" }, "Choose a sample: click one, or move with the arrow keys and press Enter."));
  home.replaceChildren(
    el("div", { class: "filters", role: "search" }, el("label", { class: "field wide" }, el("span", {}, "Search the texts"), query), selects.map((s) => s.field)),
    el("div", { class: "found" }, status, clear), el("p", { class: "paper" }, "On paper this shows only the first ten samples of the list."),
    el("div", { class: "panes" }, list, detail), said);

  let shown = Array.from({ length: size }, (_, i) => i), at = 0, opened = -1, ticket = 0, first = -1, last = -1;

  async function refresh() {
    const mine = ++ticket;
    const wanted = selects.filter((s) => s.select.value !== "").map((s) => [columns[s.name], Number(s.select.value)]);
    let found = [];
    for (let i = 0; i < size; i++) if (wanted.every(([column, code]) => column[i] === code)) found.push(i);
    const words = query.value.toLowerCase().trim();
    if (words) {
      const parts = [...new Set(found.map((i) => Math.floor(i / chunk)))];
      if (parts.some((n) => search[n * chunk] === undefined)) status.textContent = "Searching\u2026";
      for (const n of parts) await readable(n);
      if (mine !== ticket) return;
      found = found.filter((i) => search[i].includes(words));
    }
    shown = found;
    at = 0;
    list.scrollTop = 0;
    status.textContent = `${whole(shown.length)} of ${whole(size)} samples${shown.length ? "" : ": nothing fits, clear a filter"}`;
    paint(true);
  }

  // The texts of one part in lower case, for searching.
  async function readable(n) {
    if (search[n * chunk] !== undefined) return;
    (await part(n)).forEach(([prompt, turns], i) => {
      search[n * chunk + i] = `${value("reason", n * chunk + i)}\n${columns.task[n * chunk + i]}\n${prompt}\n${turns.map((t) => `${t[0]}\n${t[1] ?? ""}\n${t[5] ?? ""}`).join("\n")}`.toLowerCase();
    });
  }

  function paint(force) {
    const from = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - 6);
    const to = Math.min(shown.length, from + Math.ceil((list.clientHeight || 560) / ROW_HEIGHT) + 12);
    if (!force && from === first && to === last) return;
    [first, last] = [from, to];
    inner.style.height = `${shown.length * ROW_HEIGHT}px`;
    inner.replaceChildren(...shown.slice(from, to).map((i, k) => row(i, from + k)));
    const active = shown.length && at >= from && at < to ? `sample-${shown[at]}` : null;
    if (active) list.setAttribute("aria-activedescendant", active); else list.removeAttribute("aria-activedescendant");
  }

  function row(i, position) {
    const turns = Number(value("turns", i));
    const node = el("div", {
      class: `row${position === at ? " active" : ""}`, role: "option", id: `sample-${i}`, "aria-selected": String(i === opened),
      "aria-setsize": shown.length, "aria-posinset": position + 1, click: () => { move(position); open(); },
    },
      sign(value("outcome", i)),
      el("span", { class: "what" }, el("code", { class: "preview" }, columns.preview[i] || "(nothing to judge)"),
        el("span", { class: "meta" }, `${value("domain", i)} \u00B7 ${value("reason", i)}${turns > 1 ? ` \u00B7 ${turns} turns` : ""} \u00B7 ${known(columns.tokens[i], whole) ?? "?"} tokens`)));
    node.style.top = `${position * ROW_HEIGHT}px`;
    return node;
  }

  function move(position) {
    if (!shown.length) return;
    at = Math.max(0, Math.min(shown.length - 1, position));
    const y = at * ROW_HEIGHT;
    if (y < list.scrollTop) list.scrollTop = y;
    else if (y + ROW_HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = y + ROW_HEIGHT - list.clientHeight;
    paint(true);
  }

  // `by` is the button that was pressed to come here, which keeps the focus: it can be pressed again.
  async function open(by) {
    if (!shown.length) return;
    const i = (opened = shown[at]);
    paint(true);
    const [prompt, turns, extra] = (await part(Math.floor(i / chunk)))[i % chunk];
    if (opened !== i) return;
    detail.replaceChildren(...sampleView(i, prompt, turns, extra));
    home.classList.add("opened");
    detail.scrollTop = 0;
    (by ? detail.querySelector(`[data-step="${by}"]`) : detail).focus({ preventScroll: true });
    said.textContent = by ? `Sample ${whole(at + 1)} of ${whole(shown.length)}` : "";
  }

  function close() {
    home.classList.remove("opened");
    list.focus();
  }

  function step(by) { move(at + by); open(by); }

  function sampleView(i, prompt, turns, extra) {
    const verifier = value("verifier", i), score = columns.score[i];
    const facts = [["verdict", value("outcome", i)], ["reason", value("reason", i)], ["score", score !== null ? number(score) : value("outcome", i) === "unknown" ? "none: could not be judged" : "none: it was no number"],
      ["tokens", known(columns.tokens[i], whole)], ["generating", known(extra.generate_seconds, duration)], ["judging", known(extra.verify_seconds, duration)],
      ["split", value("split", i)], ["difficulty", extra.difficulty], ["stopped by", extra.halt], ["advantage", known(extra.advantage, number)]];
    return [
      el("div", { class: "toolbar" }, el("button", { type: "button", class: "quiet", click: close }, "Back to the list"),
        el("span", { class: "spring" }),
        el("button", { type: "button", class: "quiet", "data-step": -1, click: () => step(-1) }, "Previous"),
        el("button", { type: "button", class: "quiet", "data-step": 1, click: () => step(1) }, "Next")),
      el("h3", {}, sign(value("outcome", i)), " ", el("span", { class: "soft" }, value("reason", i))),
      el("p", { class: "soft from" }, `${columns.task[i]} \u00B7 ${value("domain", i)} \u00B7 ${value("evaluation", i)}`),
      el("h4", {}, "Prompt"), el("pre", { class: "text" }, prompt),
      ...turns.flatMap((turn, n) => turnView(turn, n, turns.length, verifier)),
      el("h4", {}, "Figures"),
      el("dl", { class: "facts" }, facts.filter(([, v]) => v !== undefined && v !== null && v !== "").map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, String(v))))),
    ];
  }

  function turnView([completion, candidate, outcome, score, reason, feedback, tokens, generating, judging], n, of, verifier) {
    const asWritten = candidate === null || completion.trim() !== candidate.trim();
    return [
      el("h4", {}, of > 1 ? `Turn ${n + 1} of ${of} ` : "Answer ", of > 1 ? sign(outcome) : null,
        of > 1 ? el("span", { class: "soft" }, [` ${reason}`, known(tokens, (n) => `${whole(n)} tokens`), known(generating === null || judging === null ? null : generating + judging, duration)].filter(Boolean).join(" \u00B7 ")) : null),
      candidate === null ? el("p", { class: "soft" }, "There was nothing to judge in this completion.") : el("pre", { class: "text code" }, el("code", {}, highlighted(candidate, verifier))),
      asWritten ? el("details", { open: candidate === null }, el("summary", {}, "The whole completion"), el("pre", { class: "text" }, completion)) : null,
      feedback ? el("div", { class: "feedback" }, el("span", { class: "soft" }, "Verifier"), el("pre", { class: "text" }, feedback)) : null,
    ].filter(Boolean);
  }

  window.addEventListener("beforeprint", () => { list.scrollTop = 0; paint(true); });
  list.addEventListener("scroll", () => paint(false), { passive: true });
  list.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(list.clientHeight / ROW_HEIGHT) - 1);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: shown.length - 1 }[event.key];
    if (to !== undefined) move(to);
    else if (event.key === "Enter" || event.key === " ") open();
    else return;
    event.preventDefault();
  });
  detail.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.preventDefault(); close(); } });
  query.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "ArrowDown") { event.preventDefault(); list.focus(); } });
  for (const { select, field } of selects) field.hidden = select.options.length === 2; // a filter with one value filters nothing
  refresh();
  home.dataset.ready = "true";
  // Unpack the rest while nobody waits, so that the first search is quick.
  (async () => { for (let n = 0; n < nodes.length; n++) { await new Promise((go) => setTimeout(go, 30)); await readable(n); } home.dataset.searchable = "true"; })();
}
