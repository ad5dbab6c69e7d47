"""The model as one page: style, script and data in a single file that no network is asked for."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from proofgrad.rl.report.samples import pack
from proofgrad.verifiers.rubric.quoting import visible

__all__ = ["to_html"]

_SCRIPTS = ("dom.js", "charts.js", "code.js", "samples.js", "sections.js", "main.js")


def to_html(model: Mapping[str, Any]) -> str:
    """`collect`'s model as a page that stands alone.

    Its policy allows this very script and style, by their digests, and nothing else: no request of any kind. Data is in
    blocks that no browser runs, with `<` escaped, and enters the page as text.
    """
    page, style = _part("page.html"), _part("style.css")
    script = "(() => {\n'use strict';\n" + "\n".join(map(_part, _SCRIPTS)) + "\n})();"
    packed = pack(model["samples"]["rows"], model["samples"]["note"])
    shown = {**model, "samples": {**model["samples"], "shown": packed.shown, "note": packed.note, "rows": []}}
    blocks = [f'<script type="application/octet-stream" id="samples-index">{packed.index}</script>']
    blocks += [f'<script type="application/octet-stream" class="samples-texts">{t}</script>' for t in packed.texts]
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": policy,
        "title": html.escape(visible(model["title"])),
        "sentence": html.escape(visible(model["headline"]["sentence"])),
        "style": style,
        "script": script,
        "model": _embedded(shown),
        "samples": "\n".join(blocks),
    }
    # In one pass: what is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page)


def _part(name: str) -> str:
    return files("proofgrad.rl.report").joinpath("page", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _embedded(value: Any) -> str:
    """JSON that cannot end the block it stands in. ASCII alone, so that lone surrogates stay escaped."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")
