"""Reports of runs and evaluations: one model of everything (`collect`), shown as a page or as tables.

The page is a single file that holds its data, draws itself and asks nothing of any network.
"""

from __future__ import annotations

from proofgrad.rl.report.collect import collect
from proofgrad.rl.report.html import to_html
from proofgrad.rl.report.markdown import to_markdown

__all__ = ["collect", "to_html", "to_markdown"]
