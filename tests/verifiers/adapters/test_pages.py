"""The pages in docs/adapters do what they say: each example is run, and prints what its page shows."""

import importlib.metadata
import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[3] / "docs" / "adapters"


def block(page, language):
    """The one block of a language in a page."""
    text = (PAGES / page).read_text(encoding="utf-8")
    (found,) = re.findall(rf"^(`{{3,}}){language}\n(.*?)^\1$", text, re.DOTALL | re.MULTILINE)
    return found[1]


@pytest.mark.parametrize(
    ("page", "package"), [("trl.md", "trl"), ("prime.md", "verifiers"), ("inspect_ai.md", "inspect-ai")]
)
def test_an_example_prints_what_its_page_shows(page, package, tmp_path, monkeypatch, capsys):
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"needs the package '{package}'; test_environments.py makes an environment with it")
    monkeypatch.chdir(tmp_path)
    exec(compile(block(page, "python"), page, "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    # TRL prints its own log too, one dictionary a line.
    assert "".join(line for line in printed.splitlines(keepends=True) if line[0] != "{") == block(page, "text")
