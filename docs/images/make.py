"""The pictures of a report: ``python docs/images/make.py RUN`` writes report-*.png beside this file.

Needs the packages of `proofgrad[train]`, playwright, and chromium on the path.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from proofgrad.rl.report import collect, to_html

HERE = Path(__file__).parent
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}


def main(run: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium on the path: apt install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        file.write_text(to_html(collect([run])), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])

        def opened(size: dict[str, int], theme: str, scale: float) -> Page:
            page = browser.new_page(
                viewport=size, color_scheme=theme, device_scale_factor=scale, reduced_motion="reduce"
            )
            page.goto(file.as_uri())
            page.wait_for_selector("html[data-ready]")
            page.wait_for_selector(".stage svg")
            return page

        top = opened(DESK, "light", 1.5)
        top.screenshot(path=HERE / "report-top.png")

        samples = opened(DESK, "light", 1.5)
        samples.wait_for_selector(".browser[data-searchable]")
        show_a_pass(samples)
        samples.screenshot(path=HERE / "report-samples.png")

        phone = opened(PHONE, "dark", 2)
        phone.screenshot(path=HERE / "report-phone.png")
        browser.close()


def show_a_pass(page: Page) -> None:
    """Open the first verified sample with most turns, next to the list."""
    turns = page.locator("#filter-turns option")
    if turns.count() > 2:
        page.select_option("#filter-turns", index=turns.count() - 1)
    verified = page.locator("#filter-outcome option", has_text="pass")
    if verified.count():
        page.select_option("#filter-outcome", value=verified.first.get_attribute("value"))
    if not page.locator(".row").count():
        page.click("text=Clear filters")
    page.locator(".row").first.click()
    page.wait_for_selector(".detail h3")
    page.locator("#samples").evaluate("section => section.scrollIntoView()")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/images/make.py RUN")
    main(Path(sys.argv[1]))
