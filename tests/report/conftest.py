"""A browser to look at pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from amiss.report.page import Page
from amiss.report.render import write_page


@dataclass
class Opened:
    """A page in a browser, with everything that it complained of or asked for."""

    tab: object
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        return getattr(self.tab, name)

    @property
    def order(self) -> list[str]:
        """Exact names of the cards that are shown, from first to last."""
        shown = "[...document.querySelectorAll('#cards > li')].filter((li) => !li.hidden).map((li) => li.id.slice(1))"
        names = "JSON.parse(document.getElementById('data').textContent).cards.map((card) => card[0])"
        at, every = self.tab.evaluate(shown), self.tab.evaluate(names)
        return [every[int(i)] for i in at]

    @property
    def count(self) -> str:
        return self.tab.locator("#count").text_content()

    @property
    def ticks(self) -> dict[str, str]:
        """Marks by the number of the card."""
        found = "[...document.querySelectorAll('#cards > li[data-ticked]')].map((li) => [li.id, li.dataset.ticked])"
        return dict(self.tab.evaluate(found))

    def download(self) -> str:
        with self.tab.expect_download() as info:
            self.tab.click("#save")
        assert info.value.suggested_filename == "review.csv"
        return Path(info.value.path()).read_bytes().decode("utf-8")


Open = Callable[..., Opened]


@pytest.fixture
def browse(chromium, tmp_path: Path) -> Iterator[Open]:
    """Open a page, or a file, in a window of its own; afterwards nothing may have gone wrong in any of them."""
    opened: list[Opened] = []
    contexts = []

    def open_page(
        page: Page | Path, *, before: str = "", ready: str = "html[data-ready]", **settings: object
    ) -> Opened:
        path = page
        if isinstance(page, Page):
            path = tmp_path / f"page{len(opened)}.html"
            write_page(page, path)
        context = chromium.new_context(**settings)
        contexts.append(context)
        found = Opened(context.new_page())
        found.tab.on("console", lambda message: found.problems.append(f"{message.type}: {message.text}"))
        found.tab.on("pageerror", lambda error: found.problems.append(str(error)))
        found.tab.on("request", lambda request: found.requests.append(request.url))
        if before:
            found.tab.add_init_script(before)
        found.tab.goto(path.as_uri())
        found.tab.wait_for_selector(ready, state="attached")
        opened.append(found)
        return found

    yield open_page
    for one in opened:
        assert one.problems == []
        outside = [url for url in one.requests if not re.match(r"(file|data|blob):", url)]
        assert outside == []
    for context in contexts:
        context.close()
