"""The inspection page in a browser, as a person meets it."""

from __future__ import annotations

import base64
import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

READY = "html[data-ready]"

GIVE = """([kind, files]) => {
    const transfer = new DataTransfer();
    for (const [name, data] of files) {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name, { type: "image/png" }));
    }
    const options = { bubbles: true, cancelable: true, clipboardData: transfer, dataTransfer: transfer };
    document.body.dispatchEvent(kind === "paste" ? new ClipboardEvent(kind, options) : new DragEvent(kind, options));
}"""
"""Drop or paste files, as a browser tells a page of that."""


@dataclass
class Opened:
    """The page in a browser, with everything that it complained of or asked for."""

    tab: object
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        return getattr(self.tab, name)

    def text(self, selector: str) -> str:
        return " ".join(self.tab.locator(selector).inner_text().split())

    def choose(self, *paths: Path) -> None:
        self.tab.set_input_files("#files", [str(path) for path in paths])

    def give(self, kind: str, **files: bytes) -> None:
        self.hand(kind, [*files.items()])

    def hand(self, kind: str, files: list[tuple[str, bytes]]) -> None:
        self.tab.evaluate(GIVE, [kind, [(name, base64.b64encode(data).decode()) for name, data in files]])

    def wait(self, done: int) -> None:
        """Wait until so many images have their result, and the page is at rest."""
        self.tab.wait_for_selector(f"#list li:nth-child({done})")
        self.tab.wait_for_selector("[data-kind=waiting]", state="detached")
        self.tab.wait_for_selector("#progress", state="hidden")

    def names(self) -> list[str]:
        return self.tab.locator("#list .name").all_text_contents()

    def decisions(self) -> list[str]:
        return self.tab.locator("#list .decision").all_text_contents()

    def csv(self) -> list[dict[str, str]]:
        with self.tab.expect_download() as info:
            self.tab.click("#save")
        assert info.value.suggested_filename == "scores.csv"
        text = Path(info.value.path()).read_bytes().decode("utf-8")
        return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))

    def focused(self) -> str:
        return self.tab.evaluate("document.activeElement.id || document.activeElement.className")
