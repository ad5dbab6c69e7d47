"""The page for those who read it otherwise: by keyboard, on paper, in an older browser, or wary of what is hidden."""

import math
import time

import pytest

from proofgrad.rl.plain import plain
from proofgrad.rl.report import collect, html, to_html

WEAK, STRONG = {"theorems": 0.2, "programs": 0.3}, {"theorems": 0.6, "programs": 0.5}


@pytest.fixture(scope="module")
def model(module_maker):
    run = module_maker.run("quick", WEAK, STRONG, problems=6)
    module_maker.evaluation("quick/evaluations/later", STRONG, problems=6)
    return collect([run])


@pytest.fixture
def shown(open_file, tmp_path):
    """The page of a model, when its samples are there."""

    def show(model, **options):
        path = tmp_path / "report.html"
        path.write_text(to_html(model), encoding="utf-8")
        page = open_file(path, **options)
        page.wait_for_selector(".browser[data-searchable]")
        return page

    return show


def with_samples(model, *changes):
    rows = [{**model["samples"]["rows"][0], **change} for change in changes]
    return {**model, "samples": {**model["samples"], "rows": rows}}


def until(page, expression):
    """Wait until an expression is true. Playwright's own waiting is refused by the page's policy."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        time.sleep(0.02)


def test_next_and_previous_keep_the_focus_and_say_where_one_is(shown, model):
    page = shown(model)
    page.focus("#samples-list")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.className === 'detail'")
    page.focus("button:has-text('Next')")
    for place in (2, 3):
        page.keyboard.press("Enter")
        until(page, f"document.querySelector('.row[aria-selected=true]')?.ariaPosInSet === '{place}'")
        until(page, "document.activeElement.textContent === 'Next'")
    page.focus("button:has-text('Previous')")
    page.keyboard.press("Space")
    until(page, "document.querySelector('.row[aria-selected=true]')?.ariaPosInSet === '2'")
    until(page, "document.activeElement.textContent === 'Previous'")
    assert "Sample 2 of " in page.locator(".browser > [aria-live]").inner_text()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "samples-list"
    assert page.troubles == []


def test_paper_has_every_fold_open_and_says_how_many_samples_it_has(shown, model):
    page = shown(model)
    folds = "[...document.querySelectorAll('details:not(.data)')].map((fold) => fold.open)"
    before = page.evaluate(folds)
    assert not all(before)
    assert not page.locator(".paper").is_visible()
    page.evaluate("document.getElementById('samples-list').scrollTop = 4000")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert all(page.evaluate(folds))
    # Now, and not only when the browser next lays the page out.
    assert page.evaluate("[...document.querySelectorAll('figure.chart .stage')].every((s) => s.querySelector('svg'))")
    assert page.evaluate("document.getElementById('samples-list').scrollTop") == 0
    page.emulate_media(media="print")
    assert page.inner_text(".paper") == "On paper this shows only the first ten samples of the list."
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(folds) == before
    assert page.troubles == []


def test_a_browser_without_light_dark_has_every_colour_and_no_button_that_does_nothing(shown, model, monkeypatch):
    real = html._part
    monkeypatch.setattr(
        html, "_part", lambda name: real(name).replace("light-dark(", "not-known(").replace("color-mix(", "not-known(")
    )
    page = shown(model, color_scheme="dark")
    colour = "getComputedStyle(document.querySelector('{}')).{}"
    assert page.evaluate(colour.format("body", "backgroundColor")) == "rgb(251, 251, 250)"
    assert page.evaluate(colour.format("body", "color")) == "rgb(27, 31, 35)"
    assert page.evaluate(colour.format(".bar", "backgroundColor")) == "rgb(251, 251, 250)"
    assert page.evaluate(colour.format("html", "colorScheme")) == "light"
    assert page.evaluate(colour.format("svg .line-0", "stroke")) == "rgb(0, 114, 178)"
    assert not page.locator("#theme").is_visible()


def test_what_hides_or_turns_text_round_is_marked_wherever_it_stands(shown, model):
    text = "pass\u202eliaf\u2066\u200b\u00ad\ufeff\x1b[2J\x85\u3164\ufe0f\U000e0041\ttab\r\nline ∀ é 한 👍"
    turn = {**model["samples"]["rows"][0]["turns"][0], "completion": f"so: {text}", "candidate": text, "feedback": text}
    page = shown(with_samples(model, {"task": text, "prompt": text, "reason": text, "turns": [turn]}))
    page.locator(".row").click()
    page.wait_for_selector(".detail pre.code")
    hidden = "\u202e\u2066\u200b\u00ad\ufeff\x1b\x85\u3164\ufe0f\U000e0041\r"
    for place in (".detail pre.code", ".detail", ".row"):
        found = page.evaluate(f"document.querySelector('{place}').textContent")
        assert not [c for c in hidden if c in found]
        assert "pass⟨U+202E⟩liaf⟨U+2066⟩⟨U+200B⟩⟨U+00AD⟩⟨U+FEFF⟩⟨U+001B⟩" in found
    assert page.evaluate("document.querySelector('.detail pre.code').textContent").endswith(
        "[2J⟨U+0085⟩⟨U+3164⟩⟨U+FE0F⟩⟨U+E0041⟩\ttab\nline ∀ é 한 👍"
    )
    assert page.troubles == []


def test_figures_that_are_no_numbers_are_left_out(shown, model):
    lost = {"score": math.nan, "generate_seconds": math.nan, "verify_seconds": math.inf, "advantage": math.nan}
    row = model["samples"]["rows"][0]
    turns = [{**row["turns"][0], "score": math.nan, "generate_seconds": math.nan}] * 2
    page = shown(with_samples(model, plain({**lost, "outcome": "fail", "turns": turns})))
    page.locator(".row").click()
    page.wait_for_selector(".detail pre.code")
    facts = page.inner_text(".detail .facts")
    assert "none: it was no number" in facts
    for name in ("generating", "judging", "advantage"):
        assert name not in facts
    assert "NaN" not in page.inner_text("#samples")
    assert page.troubles == []
