// The parts of the page, top to bottom. Each returns an element, or null where a run has nothing for it.

const OVERALL = "overall";
const section = (id, title, lead, ...children) =>
  el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title), lead ? el("p", { class: "lead" }, lead) : null, ...children);

function hero(model) {
  const h = model.headline;
  const figures = el("dl", { class: "figures" }, h.figures.map((f) => {
    const format = f.signed ? points : percent;
    return el("div", { class: f.signed ? `figure is-${h.kind}` : "figure" },
      el("dt", {}, f.label), el("dd", {}, el("span", { class: "big" }, format(f.value.mean), f.signed ? el("small", {}, " points") : null),
        el("span", { class: "soft" }, `95%: ${interval(f.value, format)}`), f.signed ? sign(h.kind) : null));
  }));
  return el("header", { class: "hero" },
    el("div", { class: "claim" },
      el("p", { class: "eyebrow" }, model.runs.map((r) => r.name).join(" \u00B7 ")),
      el("h1", {}, h.sentence.replaceAll("held-out", "held\u2011out")), h.detail ? el("p", { class: "lead" }, h.detail) : null, figures),
    trustPanel(model.trust));
}

function notices(found) {
  return found.length ? el("div", { class: "notices" }, found.map((n) =>
    el("p", { class: `notice is-${n.kind}`, role: n.kind === "warning" ? "alert" : "note" },
      el("strong", {}, n.kind === "warning" ? "! Take care: " : "Note: "), n.text))) : null;
}

function trustPanel(trust) {
  return el("aside", { class: "trust card", "aria-labelledby": "trust-title" },
    el("h2", { id: "trust-title" }, "Can this be trusted?"),
    el("p", { class: "soft" }, `Checks on the evaluation \u201C${trust.of}\u201D`),
    el("ul", {}, trust.checks.map((c) => el("li", {},
      el("div", { class: "check" }, el("span", {}, c.name), sign(c.state, c.word)), el("p", { class: "soft" }, c.text, c.command ? el("code", {}, ` ${c.command}`) : null)))),
    trust.warnings.length ? el("details", {}, el("summary", {}, `What else to know (${trust.warnings.length})`), el("ul", { class: "warnings" }, trust.warnings.map((w) => el("li", {}, w)))) : null);
}

function trustTable(evaluations) {
  if (evaluations.length < 2) return null;
  return el("div", {}, el("h3", {}, "Trust in each evaluation"), table("What was checked about each evaluation", ["evaluation", ...evaluations[0].trust.checks.map((c) => c.name)],
    evaluations.map((e) => [e.name, ...e.trust.checks.map((c) => sign(c.state, c.word))])));
}

function domains(model) {
  const shown = model.evaluations;
  const names = [...new Set(shown.flatMap((e) => e.domains.map((d) => d.domain)))];
  const at = (e, name, k) => { const d = e.domains.find((x) => x.domain === name); return d && d.pass_at.find((p) => p.k === k); };
  const chart = markChart({
    title: "Solved at the first attempt", note: "pass@1, 95% intervals over problems", label: "share of samples solved",
    names: shown.map((e) => e.name), low: 0, high: 1,
    format: (v) => `${Math.round(100 * v)}%`,
    rows: names.map((name) => ({ name, marks: shown.map((e) => { const p = at(e, name, 1); return p ? p.estimate : null; }) })),
  });
  const ks = [...new Set(model.evaluations.flatMap((e) => e.domains.flatMap((d) => d.pass_at.map((p) => p.k))))].sort((a, b) => a - b);
  const rows = model.evaluations.flatMap((e) => e.domains.map((d) =>
    [d.domain, e.name, whole(d.problems), ...ks.map((k) => { const p = at(e, d.domain, k); return p && p.estimate ? estimate(p.estimate) : null; }), d.unknown ? whole(d.unknown) : "0"]));
  rows.sort((a, b) => names.indexOf(a[0]) - names.indexOf(b[0]));
  const uneven = shown.filter((e) => e.jaggedness).map((e) =>
    `${e.name}: weakest in ${e.jaggedness.worst} (${percent(e.jaggedness.worst_rate.mean)}), ${(100 * e.jaggedness.spread.mean).toFixed(1)} points behind the strongest (${interval(e.jaggedness.spread, (v) => (100 * v).toFixed(1))}).`);
  return section("domains", "Domains side by side", null, el("div", { class: "card" }, chart),
    uneven.length ? el("ul", { class: "lead uneven" }, uneven.map((text) => el("li", {}, text))) : null,
    table("pass@k by domain, with 95% intervals over problems", ["domain", "evaluation", "problems", ...ks.map((k) => `pass@${k}`), "not judged"], rows),
    el("div", { class: "grid" }, samplesCurve(shown, ks), levels(shown)));
}

function samplesCurve(evaluations, ks) {
  if (ks.length < 2) return null;
  const names = [...new Set(evaluations.flatMap((e) => e.domains.map((d) => d.domain)))];
  return names.map((name) => lineChart({
    title: `Solved within k samples: ${name}`, x: { label: "samples k", log: true, format: whole, ticks: ks }, y: { format: (v) => `${Math.round(100 * v)}%`, low: 0, high: 1, label: "pass@k" },
    series: evaluations.map((e) => ({ name: e.name, points: (e.domains.find((d) => d.domain === name)?.pass_at || []).filter((p) => p.estimate).map((p) => ({ x: p.k, y: p.estimate.mean, low: p.estimate.low, high: p.estimate.high })) })),
  }));
}

function levels(evaluations) {
  const names = [...new Set(evaluations.flatMap((e) => e.levels.map((l) => l.domain)))];
  if (!names.length) return null;
  return names.map((name) => lineChart({
    title: `By difficulty: ${name}`, x: { label: "difficulty", format: number, whole: evaluations.every((e) => e.levels.every((l) => Number.isInteger(l.difficulty))) }, y: { format: (v) => `${Math.round(100 * v)}%`, low: 0, high: 1, label: "pass@1" },
    series: evaluations.map((e) => ({ name: e.name, points: e.levels.filter((l) => l.domain === name).map((l) => ({ x: l.difficulty, y: l.estimate.mean, low: l.estimate.low, high: l.estimate.high, note: counted(l.problems, "problem") })) })),
  }));
}

function comparisons(model) {
  if (!model.comparisons.length) return null;
  return section("comparisons", "Comparisons", "The same problems on both sides. Better or worse: p, adjusted by Holm for all that is compared at once, is below 0.05. Tied: else, where the 90% interval of the difference lies within the margin. Undecided: all else. The intervals shown are of 95%; a true difference as large as \u201cdetectable from\u201d is found four times in five.",
    model.comparisons.map((c) => el("div", { class: "card" },
      el("h3", {}, c.b, el("span", { class: "soft" }, " against "), c.a),
      c.forced ? el("p", { class: "notice is-warning" }, el("strong", {}, "! Forced: "), "these two were judged by different verifier versions.") : null,
      c.warnings.map((w) => el("p", { class: "notice is-warning" }, el("strong", {}, "! "), w)),
      markChart({
        title: `Difference in pass@${c.k}`, note: `margin for a tie: ${(100 * c.margin).toFixed(0)} points`, label: "percentage points", names: ["difference"], zero: true, low: -0.05, high: 0.05,
        format: points, rows: c.domains.map((d) => ({ name: d.domain, marks: [d.difference] })),
      }),
      table(`pass@${c.k} of ${c.b} against ${c.a}`, ["domain", "problems", c.a, c.b, "difference", "p", "p adjusted", "conclusion", "detectable from"], c.domains.map((d) => [
        d.domain, whole(d.problems), estimate(d.a), estimate(d.b), signed(d.difference), probability(d.p_value), probability(d.p_adjusted), sign(d.conclusion), `${(100 * d.detectable).toFixed(1)} points`])),
      solvedByOne(c))));
}
const probability = (p) => (p === null || p === undefined ? null : p < 0.001 ? "< 0.001" : p.toFixed(3));

function solvedByOne(c) {
  const one = (title, list) => el("details", {}, el("summary", {}, `${title}: ${counted(list.length, "problem")}`),
    el("p", { class: "soft" }, list.slice(0, 200).join(", "), list.length > 200 ? ` and ${whole(list.length - 200)} more` : ""));
  return el("div", {}, c.only_b.length ? one(`Solved by ${c.b} alone`, c.only_b) : null, c.only_a.length ? one(`Solved by ${c.a} alone`, c.only_a) : null);
}

const FORMATS = { share: (v) => `${Number((100 * v).toPrecision(3))}%`, seconds: duration, number };
function curves(model) {
  const runs = model.runs.filter((r) => r.curves.length);
  if (!runs.length) return null;
  return section("curves", "Training", runs.some((r) => r.curves.some((g) => g.charts.some((c) => c.series.some((s) => s.points.length > 30)))) ? "Where there are more than 30 steps, thin lines are single steps and strong lines the mean of the last ten." : null, runs.map((run) => el("div", {},
    runs.length > 1 ? el("h3", {}, run.name) : null,
    el("div", { class: "grid" }, run.curves.flatMap((group) => group.charts.map((c) => lineChart({
      title: group.phase === "GRPO" ? c.title : `${group.phase}: ${c.title.toLowerCase()}`, note: c.note, smooth: 10, x: { label: "step", format: whole, whole: true },
      y: { format: FORMATS[c.unit], low: c.unit === "share" ? 0 : undefined, label: c.title },
      series: c.series.map((s) => ({ name: s.name, points: s.points.map(([x, y]) => ({ x, y })) })),
    })))),
    run.curves.map((group) => group.not_finite.length ? el("p", { class: "notice is-warning" }, el("strong", {}, "! "), `No finite number in ${group.phase}, and so not drawn: ${group.not_finite.map((c) => `${c.name} at ${counted(c.steps, "step")}`).join(", ")}.`) : null),
    run.curves.map((group) => group.constant.length ? el("p", { class: "soft constant" }, `The same at every step of ${group.phase}: ${group.constant.map((c) => `${c.name} ${FORMATS[c.unit](c.value)}`).join(", ")}.`) : null))));
}

function cost(model) {
  const having = model.evaluations.filter((e) => e.test_time.length || e.revision);
  if (!having.length) return null;
  const share = { format: (v) => `${Math.round(100 * v)}%`, low: 0, high: 1, label: "solved" };
  const chart = (e, domain, key, label, format) => lineChart({
    title: `${domain}: solved against ${key}`, x: { label, log: true, format }, y: share,
    series: e.test_time.filter((c) => c.domain === domain).map((c) => ({ name: c.strategy, points: c.points.filter((p) => p[key] > 0).map((p) => ({ x: p[key], y: p.success.mean, low: p.success.low, high: p.success.high, note: `n = ${p.n}` })) })),
  });
  return section("cost", "What more sampling buys", "Success against what is spent on a problem: n samples chosen by likelihood, by majority, by the verifier, or n turns of revision.",
    having.map((e, i) => el("details", { class: "fold", open: i === having.length - 1 }, el("summary", {}, e.name),
      el("div", { class: "grid two" }, [...new Set(e.test_time.map((c) => c.domain))].flatMap((d) => [
        chart(e, d, "tokens", "tokens a problem", number), chart(e, d, "seconds", "time a problem", duration)])),
      e.revision ? table("Revising against best-of-n at equal tokens, 95% intervals over problems", ["domain", "problems", "first attempt", "revising", "best-of-n", "gain in points", "tokens", "attempts n"],
        e.revision.map((r) => [r.domain, whole(r.problems), estimate(r.first), estimate(r.revising), estimate(r.best_of_n), signed(r.gain), number(r.tokens), number(r.n)])) : null)));
}

function chains(model) {
  if (!model.chains.length) return null;
  const way = (curve) => (curve.revisions ? `up to ${counted(curve.revisions, "revision")}` : "no revision");
  const series = (curve) => ["measured", "independent"].map((key) => ({
    name: `${key === "measured" ? "measured" : "p\u207F, independent steps"}, ${way(curve)}`,
    points: curve.points.map((p) => ({ x: p.length, y: p[key].mean, low: p[key].low, high: p[key].high })),
  }));
  const at = (curve, key) => curve.horizons.map((h) => h.words[key]);
  return section("chains", "Reliability of chains", "A chain is solved when each of its steps is verified. Were steps independent and as likely to succeed as alone, with probability p, n in a row would succeed with p to the n-th power.",
    model.chains.map((e) => [model.chains.length > 1 ? el("h3", {}, e.name) : null,
      el("div", { class: "grid two" }, e.results.map((c) => lineChart({
        title: c.name, note: `${whole(e.chains)} chains, earlier answers ${e.context === "none" ? "not shown" : e.context}`,
        x: { label: "steps n", format: whole, whole: true }, y: { format: (v) => `${Math.round(100 * v)}%`, low: 0, high: 1, label: "chains solved" },
        series: c.curves.flatMap(series),
      }))),
      table("Horizons: the number of steps at which so many chains still succeed, with 95% intervals", ["chains of", "way", "p", ...e.results[0].curves[0].horizons.map((h) => `${Math.round(100 * h.share)}% succeed`)],
        e.results.flatMap((c) => c.curves.flatMap((curve) => [
          [c.name, `measured, ${way(curve)}`, estimate(curve.single), ...at(curve, "measured")],
          [c.name, `independent steps, ${way(curve)}`, estimate(curve.single), ...at(curve, "independent")]])))]));
}

function failures(model) {
  const shown = model.evaluations.filter((e) => e.reasons.length);
  if (!shown.length) return null;
  return section("reasons", "How attempts end", "The verifiers' reasons, as shares of all samples.", el("div", { class: "grid two" }, shown.map((e) => {
    const total = e.reasons.reduce((sum, r) => sum + r.count, 0), most = Math.max(...e.reasons.map((r) => r.count));
    return el("div", { class: "card" }, el("h3", {}, e.name), el("ul", { class: "bars" }, e.reasons.slice(0, 10).map((r) => {
      const bar = el("span", { class: `bar-fill is-${r.outcome}` });
      bar.style.width = `${(100 * r.count) / most}%`;
      return el("li", {}, el("span", { class: "bar-name" }, sign(r.outcome, " "), el("span", { class: "unseen" }, r.outcome), el("code", {}, r.reason)),
        el("span", { class: "bar-track" }, bar), el("span", { class: "bar-value" }, percent(r.count / total)));
    })), e.reasons.length > 10 ? el("p", { class: "soft" }, `and ${counted(e.reasons.length - 10, "rarer reason")}`) : null);
  })));
}

function lineage(model) {
  const runs = model.runs.filter((r) => r.lineage);
  if (!runs.length) return null;
  const tree = (all, parent, seen) => {
    const children = all.filter((n) => (n.parent ?? null) === parent && !seen.has(n.name));
    children.forEach((n) => seen.add(n.name));
    return children.length ? el("ul", { class: "tree" }, children.map((n) => el("li", {},
      el("div", { class: "node card" }, el("strong", {}, n.name), el("span", { class: "soft" }, `generation ${n.generation}`),
        n.promoted ? sign("good", "promoted") : sign("none", "not promoted"), el("span", { class: "score" }, n.score === null || n.score === undefined ? "no score" : percent(n.score))),
      tree(all, n.name, seen)))) : null;
  };
  return section("lineage", "Lineage", "Which policy grew out of which, and which were promoted.", runs.map((r) => {
    const names = new Set(r.lineage.map((n) => n.name));
    const known = r.lineage.map((n) => ({ ...n, parent: names.has(n.parent) ? n.parent : null }));
    const seen = new Set(), trees = [tree(known, null, seen)];
    // Whoever names each other as parents grows out of nobody: each is shown all the same.
    return [...trees, tree(known.filter((n) => !seen.has(n.name)).map((n) => ({ ...n, parent: null })), null, seen)];
  }));
}

function samples(model) {
  const facts = model.samples;
  if (!facts.shown) return facts.note ? section("samples", "Samples", facts.note) : null;
  return section("samples", "Samples", facts.note, sampleBrowser());
}

function auditTable(audit) {
  if (!audit) return null;
  const changed = audit.flatMap((a) => a.disagreements.map((d) => [d.task, a.verifier, d.was, d.is_now]));
  return el("div", {}, table("Verdicts judged again, upper bounds at 95%", ["verifier", "the run said", "judged again", "otherwise now", "rate at most", "unknown"],
    audit.map((a) => [a.verifier, a.outcome, whole(a.looked_at), whole(a.disagreements.length), percent(a.bound), whole(a.unknown)])),
  changed.length ? table("Verdicts that did not stand", ["task", "verifier", "was", "is now"], changed) : null);
}

function configuration(model) {
  const fold = (title, data) => data && Object.keys(data).length ? el("details", { class: "card" }, el("summary", {}, title), settings(data)) : null;
  return section("configuration", "Configuration and provenance", "What was recorded about how all this was made.", trustTable(model.evaluations), model.runs.map((r) => el("div", {},
    el("h3", {}, r.name, el("span", { class: "soft" }, ` ${r.path}`)), auditTable(r.audit), fold("Configuration", r.config), fold("Manifest", r.manifest))),
    model.evaluations.map((e) => fold(`Evaluation ${e.name}`, { ...e.facts, ...(e.settings ? { settings: e.settings } : {}), ...(e.environment ? { environment: e.environment } : {}) })));
}

function settings(data) {
  const flat = (value, key) => value !== null && typeof value === "object" && Object.keys(value).length
    ? Object.entries(value).flatMap(([k, v]) => flat(v, key ? `${key}.${k}` : k)) : [[key, value !== null && typeof value === "object" ? "none" : String(value)]];
  return el("dl", { class: "settings" }, flat(data, "").map(([k, v]) => el("div", {}, el("dt", {}, k), el("dd", {}, v))));
}
