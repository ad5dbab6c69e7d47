"""The page in a real browser: what it shows, that it asks nothing of anybody, and that hostile text does nothing."""

import copy
import dataclasses
import json
import random
import re
import time
import unicodedata
from importlib.resources import files
from itertools import pairwise

import pytest

from proofgrad.rl.report import collect, to_html
from proofgrad.verifiers.base import Verdict

WEAK, STRONG = {"theorems": 0.2, "programs": 0.3}, {"theorems": 0.6, "programs": 0.5}
HOSTILE = [
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'><svg onload='window.hacked = 1'>",
    "<!--<script>{{script}}{{model}}\u2028\u2029-->",
    "<meta http-equiv='Content-Security-Policy' content=\"script-src *\"><base href='http://127.0.0.1:9/'>",
    "'\"`${window.hacked = 1}` javascript:window.hacked=1 \\u003cscript>",
    "a lone surrogate \ud800 and a null \x00 and \u202e",
]


@pytest.fixture(scope="module")
def model(module_maker):
    """A run, with an evaluation of it whose candidates are hostile."""
    run = module_maker.run("quick", WEAK, STRONG, problems=12)
    draw, rollouts = random.Random(0), module_maker.rollouts(STRONG, 8, 2, 7, max_turns=3)
    made = collect([run])
    for i, text in enumerate(HOSTILE):
        task = module_maker.task("programs", i)
        row = module_maker.rollout(task, draw, 1.0, text="placeholder").to_row()
        turn = {
            "completion": text, "candidate": text, "outcome": "fail", "score": 0.0, "reason": "code.exception",
            "feedback": text, "tokens": 3, "generate_seconds": 0.1, "verify_seconds": 0.1,
        }  # fmt: skip
        made["samples"]["rows"].append(
            {
                **row,
                "evaluation": "hostile",
                "task": text,
                "prompt": text,
                "turns": [turn],
                "outcome": "fail",
                "score": 0.0,
            }
        )
    for rollout in rollouts:
        row = rollout.to_row()
        made["samples"]["rows"].append({**row, "evaluation": "revised", "turns": json.loads(row["turns"])})
    made["notices"].append({"kind": "warning", "text": HOSTILE[0]})
    made["runs"][0]["name"] = HOSTILE[1]
    made["title"] = HOSTILE[0]
    nodes = [("seed", None, True), ("gen-1", "seed", True), ("gen-2", "gen-1", False)]
    made["runs"][0]["lineage"] = [
        {"name": n, "parent": p, "generation": i, "promoted": yes, "score": 0.5} for i, (n, p, yes) in enumerate(nodes)
    ]
    return made


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(model), encoding="utf-8")
    return path


@pytest.fixture
def open_page(open_file, file):
    """Opens the page, or another."""
    return lambda path=file, **options: open_file(path, **options)


def ready(page):
    page.wait_for_selector(".browser[data-searchable]")
    return page


def until(page, expression):
    """Wait until an expression is true. Playwright's own waiting is refused by the page's policy."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        time.sleep(0.02)


def marked(text):
    """What nobody can see in a text, by its code points."""
    unseen = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return "".join(f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in unseen and c not in "\n\t" else c for c in text)


def choose(page, name, value):
    option = page.locator(f"#filter-{name} option", has_text=re.compile(rf"^{value} \("))
    page.select_option(f"#filter-{name}", value=option.get_attribute("value"))


def count(page):
    return int(re.match(r"[\d,]+", page.inner_text(".count"))[0].replace(",", ""))


def test_everything_is_drawn_without_an_error_or_a_request(open_page):
    page = ready(open_page())
    assert page.troubles == []
    for section in ("domains", "comparisons", "curves", "cost", "reasons", "lineage", "samples", "configuration"):
        assert page.locator(f"#{section}").count() == 1
    assert "raised held\u2011out pass@1" in page.inner_text("h1")
    assert page.locator(".stage svg").count() > 10
    assert page.locator("svg [d*=NaN], svg [cx*=NaN], svg [y1*=NaN], svg [x1*=NaN]").count() == 0
    assert page.locator(".tree .tree .tree").count() == 1
    assert page.locator("main > .notices:first-child [role=alert]").count() == 1  # a warning stands above the score


def test_nothing_can_be_fetched_even_by_the_page_itself(open_page):
    page = open_page()
    refused = """() => new Promise((done) => {
        document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));
        fetch('http://127.0.0.1:9/').catch(() => {});
        setTimeout(() => done('nobody refused'), 2000);
    })"""
    assert page.evaluate(refused) == "connect-src"
    run = "s = document.createElement('script'); s.textContent = 'window.hacked = 1'; document.body.append(s)"
    page.evaluate(f"() => {{ let {run}; }}")
    assert page.evaluate("window.hacked") is None


def test_hostile_samples_are_text_and_nothing_else(open_page):
    page = ready(open_page())
    choose(page, "evaluation", "hostile")
    for i, text in enumerate(HOSTILE):
        page.locator(".row").nth(i).click()
        page.wait_for_selector(f".row:nth-child({i + 1})[aria-selected=true]")
        until(page, f"document.querySelector('.detail pre.text')?.textContent === {json.dumps(marked(text))}")
        assert page.evaluate("document.querySelector('.detail pre.code').textContent") == marked(text)
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.querySelectorAll('main img, main script, main meta, base').length") == 0
    assert page.troubles == []


def test_filters_and_search_narrow_the_list_down(open_page, model):
    page = ready(open_page())
    rows = model["samples"]["rows"]
    assert count(page) == len(rows)
    choose(page, "domain", "theorems")
    choose(page, "outcome", "pass")
    assert count(page) == sum(row["domain"] == "theorems" and row["outcome"] == "pass" for row in rows)
    page.click("text=Clear filters")
    needle = rows[3]["turns"][-1]["candidate"].split()[1]
    page.fill("#search", needle.upper())
    until(page, f"!document.querySelector('.count').textContent.startsWith('{len(rows):,} ')")
    assert count(page) == sum(needle.lower() in str(row).lower() for row in rows)
    page.fill("#search", "no text has these words")
    page.wait_for_selector(".count:has-text('nothing fits')")
    page.click("text=Clear filters")
    choose(page, "turns", "3")
    assert count(page) == sum(len(row["turns"]) == 3 for row in rows)
    page.locator(".row").first.click()
    assert page.locator(".detail h4", has_text="Turn 3 of 3").count() == 1


def test_the_list_is_walked_with_the_keyboard_alone(open_page):
    page = ready(open_page())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.focus("#samples-list")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "PageDown", "Enter"):
        page.keyboard.press(key)
    until(page, "document.activeElement.className === 'detail'")
    assert page.locator(".row[aria-selected=true]").count() == 1
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "samples-list"
    page.keyboard.press("End")
    active = page.get_attribute("#samples-list", "aria-activedescendant")
    row = page.locator(f"#{active}")
    assert row.get_attribute("aria-posinset") == row.get_attribute("aria-setsize")


def test_a_chart_says_its_values_to_keys_and_pointer_and_has_a_table(open_page):
    page = open_page()
    chart = page.locator("#domains .chart").first
    chart.locator(".stage svg").wait_for()
    chart.locator(".stage").focus()
    page.keyboard.press("ArrowRight")
    said = chart.locator("[aria-live]").inner_text()
    assert re.search(r"before: \d+%.*95% interval", said)
    assert chart.locator(".tip").is_visible()
    page.keyboard.press("Escape")
    assert not chart.locator(".tip").is_visible()
    chart.locator("summary").click()
    chart.locator("tbody tr").first.wait_for()
    assert chart.locator("tbody tr").count() == 6
    curve = page.locator("#curves .chart").first
    curve.locator(".stage svg").hover()
    assert "step" in curve.locator(".tip").inner_text()


@pytest.mark.parametrize("width", [360, 768])
def test_a_phone_scrolls_in_one_direction(open_page, width):
    page = ready(open_page(viewport={"width": width, "height": 740}))
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".row").first.click()
    page.wait_for_selector(".opened .detail h3")
    if width == 360:
        assert not page.locator(".list").is_visible()
        page.click("text=Back to the list")
        assert page.locator(".list").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_dark_and_light_follow_the_system_and_the_button_decides(open_page):
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = open_page(color_scheme="light"), open_page(color_scheme="dark")
    colours = light.evaluate(background), dark.evaluate(background)
    assert colours[0] != colours[1]
    dark.click("#theme")
    assert dark.inner_text("#theme") == "Theme: light"
    assert dark.evaluate(background) == colours[0]
    dark.click("#theme")
    assert dark.evaluate(background) == colours[1]


def test_every_control_has_a_name_and_headings_are_in_order(open_page):
    page = ready(open_page())
    page.locator(".row").first.click()
    page.wait_for_selector(".detail h3")
    nameless = """() => [...document.querySelectorAll(
            'button, a, select, input, summary, [tabindex="0"], section, aside, nav')]
        .filter((e) => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.textContent.trim()
            || (e.labels && e.labels.length))).map((e) => e.outerHTML.slice(0, 90))"""
    assert page.evaluate(nameless) == []
    dangling = """() => [...document.querySelectorAll('[aria-labelledby]')].filter(
        (e) => !document.getElementById(e.getAttribute('aria-labelledby')))).length"""
    assert page.evaluate(dangling.replace("))).length", ")).length")) == 0
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((h) => Number(h.tagName[1]))")
    assert levels.count(1) == 1
    main = levels[levels.index(1) :]
    assert all(b - a <= 1 for a, b in pairwise(main))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    assert page.get_attribute("html", "lang") == "en"
    assert page.locator("th:not([scope])").count() == 0


def test_a_domain_with_one_problem_and_names_without_end_are_drawn(open_page, module_maker, tmp_path):
    draw, long = random.Random(5), "d" * 300
    rollouts = module_maker.rollouts(STRONG, 6, 4, 5)
    for domain in (long, "constructor"):
        task = dataclasses.replace(module_maker.task("programs", 0), id=domain, domain=domain, verifier="constructor")
        rollouts += [module_maker.rollout(task, draw, 0.5) for _ in range(4)]
    model = collect([module_maker.evaluation("n" * 200, STRONG, rollouts=rollouts)])
    path = tmp_path / "odd.html"
    path.write_text(to_html(model), encoding="utf-8")
    page = ready(open_page(path, viewport={"width": 800, "height": 900}))
    assert page.evaluate("document.documentElement.scrollWidth") == 800
    assert page.locator("figcaption", has_text="samples: constructor").count() == 0  # no estimate, no empty chart
    assert max(len(text) for text in page.locator("#domains svg .name").all_text_contents()) <= 32
    choose(page, "domain", "constructor")
    page.locator(".row").first.click()
    page.wait_for_selector(".detail pre.code")
    assert "return 2 * n" in page.inner_text(".detail pre.code")
    assert page.troubles == []


def test_a_part_that_cannot_be_drawn_costs_that_part_alone(open_page, model, tmp_path):
    broken = copy.deepcopy(model)
    broken["evaluations"][-1]["revision"] = [{"domain": "theorems", "problems": 9}]  # as of another version
    path = tmp_path / "broken.html"
    path.write_text(to_html(broken), encoding="utf-8")
    page = ready(open_page(path))
    assert page.locator("#cost").count() == 0
    assert page.locator("main > .notice", has_text="cannot be drawn").count() == 1
    assert page.locator("#samples .row").count() > 0
    assert len(page.troubles) == 1


def test_a_browser_that_cannot_unpack_says_so(open_page):
    page = open_page(script="delete window.DecompressionStream")
    assert "cannot unpack the samples" in page.inner_text("#samples")
    assert page.troubles == []


def test_print_leaves_the_controls_out(open_page):
    page = open_page()
    page.emulate_media(media="print")
    assert not page.locator(".bar").is_visible()
    assert page.locator("h1").is_visible()
    cell = page.locator("#comparisons table td").first
    assert cell.evaluate("cell => getComputedStyle(cell).whiteSpace") == "normal"  # paper does not scroll


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    """WCAG 2.2, definition of contrast ratio."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


PALETTE = {
    name: pair
    for name, *pair in re.findall(
        r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)",
        files("proofgrad.rl.report").joinpath("page", "style.css").read_text(encoding="utf-8"),
    )
}


def test_an_older_browser_has_the_light_colours():
    style = files("proofgrad.rl.report").joinpath("page", "style.css").read_text(encoding="utf-8")
    plainly = dict(re.findall(r"--([\w-]+): (#\w{6});", style.partition("@supports")[0]))
    assert plainly == {name: light for name, (light, _) in PALETTE.items()}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_a_contrast_of_4_5_and_graphics_of_3(theme):
    colour = {name: pair[theme] for name, pair in PALETTE.items()}
    grounds = [colour[name] for name in ("page", "surface", "sunk")]
    for name in ("text", "soft", "accent", "pass", "fail", "unknown"):
        assert min(contrast(colour[name], ground) for ground in grounds) >= 4.5, name
    assert contrast(colour["text"], colour["accent-soft"]) >= 4.5
    assert contrast(colour["soft"], colour["accent-soft"]) >= 4.5
    assert contrast(colour["fail"], colour["warn-soft"]) >= 4.5
    for name in ("edge", *(f"series-{i}" for i in range(6))):
        assert min(contrast(colour[name], ground) for ground in grounds[:2]) >= 3, name


def many(rows, n):
    """Samples of the length and variety of a small policy's: words drawn at random do not compress well."""
    draw = random.Random(0)
    words = [
        f"{a}{b}{c}" for a in ("intro", "h", "exact", "left", "x", "value") for b in "abcdefghij" for c in range(40)
    ]
    for i in range(n):
        row, turns = copy.copy(rows[i % len(rows)]), []
        for _ in range(1 + (i % 5 == 0)):
            text = " ".join(draw.choices(words, k=draw.randrange(30, 90)))
            turns.append({**rows[0]["turns"][0], "completion": text, "candidate": text, "feedback": text[:200]})
        yield {**row, "task": f"task-{i // 4:05d}", "prompt": f"{row['prompt']} {i // 4}", "turns": turns}


def test_twenty_thousand_samples_stay_small_and_quick(open_page, model, tmp_path):
    rows = list(many([row for row in model["samples"]["rows"] if row["evaluation"] != "hostile"], 20_000))
    path = tmp_path / "report.html"
    path.write_text(to_html({**model, "samples": {**model["samples"], "rows": rows}}), encoding="utf-8")
    assert path.stat().st_size < 15e6
    seconds: list[float] = []
    while not seconds or (min(seconds) >= 2.0 and len(seconds) < 5):  # other work on the machine is not the page's
        start = time.monotonic()
        page = open_page(path)
        page.wait_for_selector(".browser[data-ready] .row")
        seconds.append(time.monotonic() - start)
    print(f"{path.stat().st_size / 1e6:.1f} MB, {min(seconds):.2f} s until the list is there")
    assert min(seconds) < 2.0
    assert page.locator(".row").count() < 60
    page.fill("#search", "task-04999")
    until(page, "document.querySelector('.count').textContent.startsWith('4 of 20,000')")


def test_a_page_that_would_be_too_large_is_cut_and_says_so(model):
    from proofgrad.rl.report.samples import pack

    rows = list(many(model["samples"]["rows"][:4], 400))
    packed = pack(rows, "Shown: all.", budget=30_000)
    assert sum(len(part) for part in (packed.index, *packed.texts)) <= 30_000 * 4 / 3 + 4 * (len(packed.texts) + 1)
    assert 0 < packed.shown < 400
    assert f"{400 - packed.shown} of these, drawn at random, are left out" in packed.note
    assert pack(rows, "Shown: all.", budget=30_000) == packed


def test_long_texts_are_cut_with_a_note(open_page, model, tmp_path):
    row = {**model["samples"]["rows"][0], "prompt": "x" * 9_000}
    path = tmp_path / "long.html"
    path.write_text(to_html({**model, "samples": {**model["samples"], "rows": [row]}}), encoding="utf-8")
    page = ready(open_page(path))
    page.locator(".row").click()
    page.wait_for_selector(".detail pre.text")
    assert page.locator(".detail pre.text").first.inner_text().endswith("… cut here: 5,000 more characters")
    assert "Texts longer than 4,000 characters are cut." in page.inner_text("#samples")


def test_a_failure_of_our_own_is_unknown_in_shape_and_word(open_page, model, tmp_path, module_maker):
    verdict = Verdict.unknown("infra.worker_died")
    turn = {
        **model["samples"]["rows"][0]["turns"][0],
        "outcome": verdict.outcome.value,
        "score": None,
        "reason": verdict.reason,
    }
    row = {
        **model["samples"]["rows"][0],
        "outcome": "unknown",
        "score": None,
        "reason": verdict.reason,
        "turns": [turn],
    }
    path = tmp_path / "unknown.html"
    path.write_text(to_html({**model, "samples": {**model["samples"], "rows": [row]}}), encoding="utf-8")
    page = ready(open_page(path))
    assert page.inner_text(".row .sign").split() == ["?", "unknown"]
    page.locator(".row").click()
    assert "none: could not be judged" in page.inner_text(".detail .facts")
