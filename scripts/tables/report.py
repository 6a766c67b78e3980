"""What a page of many images costs: `results/report_page.json`."""

from __future__ import annotations

import json

from tables.results import ROOT


def page() -> str:
    """Seconds and size of the page of a scoring run."""
    found = json.loads((ROOT / "results" / "report_page.json").read_text())
    return (
        f"Scoring {found['images']:,} images took {found['seconds_without']:.1f} s without a page and "
        f"{found['seconds_with']:.1f} s with one, each in a fresh process; the page has {found['megabytes']:.1f} MB "
        f"and opens in {found['opened']:.1f} s in headless Chromium, {found['opened_slowest']:.1f} s at the slowest. "
        "File: `results/report_page.json`, made by `benchmarks/report_page.py`."
    )


TABLES = {"report_page": (page, ["docs/report.md"])}
