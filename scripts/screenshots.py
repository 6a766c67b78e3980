"""Take the pictures of reports and of a card in docs/figures: `python scripts/screenshots.py`, in about four minutes.

Needs the extras report and browser, and a Chromium that is installed. The images are the bundled ones of `amiss demo`.
--card takes the picture of the card alone. --page PAGE.html takes pictures of another page instead, into --out, those
too that docs/ does not show.
"""

from __future__ import annotations

import argparse
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from amiss import Detector
from amiss.data.demo import Demo, load_demo
from amiss.methods.gradcon import GradCon
from amiss.report.assemble import Builder
from amiss.report.card.asked import Asked
from amiss.report.card.make import model_card
from amiss.report.card.write import write_card
from amiss.report.render import write_page

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
TALL = {"width": 1280, "height": 1120}
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 720}
LARGEST = 300_000


def fitted(demo: Demo) -> Detector:
    """A model of the demo's T-shirts."""
    detector = Detector(GradCon(epochs=40), fpr=0.05, random_state=0)
    return detector.fit(demo.train.take(np.arange(len(demo.train))))


def demo_card(detector: Detector, demo: Demo, path: Path) -> None:
    """The card of the model, with everything measured on the demo's test images."""
    normal, anomalous = (demo.test.take(np.flatnonzero(demo.test_labels == label)).numpy()[:, 0] for label in (0, 1))
    asked = Asked(normal, anomalous, compare=True, attack=(0.01, 0.05), corruptions=True, drift=normal)
    write_card(model_card(detector, "t-shirts.safetensors", asked), path)


def demo_page(detector: Detector, demo: Demo, path: Path) -> None:
    """The page of the demo's test images, scored by the model."""
    pixels = demo.test.take(np.arange(len(demo.test))).numpy()
    names = [f"clothes/{demo.test.name(i)}" for i in range(len(demo.test))]
    builder = Builder(detector)
    builder.add(names, detector.decision_function(pixels), pixels)
    write_page(builder.review("clothes", model="t-shirts.safetensors"), path)


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("google-chrome")
        yield playwright.chromium.launch(executable_path=found, args=FLAGS)


def opened(
    chromium: Browser,
    page: Path,
    size: dict[str, int],
    *,
    dark: bool = False,
    scale: float = 1,
    ready: str = "html[data-ready]",
) -> Page:
    context = chromium.new_context(
        viewport=size, color_scheme="dark" if dark else "light", device_scale_factor=scale, reduced_motion="reduce"
    )
    tab = context.new_page()
    tab.goto(page.resolve().as_uri())
    tab.wait_for_selector(ready, state="attached")
    return tab


def to_review(tab: Page, keys: str = "") -> None:
    """Scroll to the images, and press keys there."""
    tab.evaluate("document.getElementById('review').scrollIntoView()")
    if keys:
        tab.keyboard.press("j")
    for key in keys:
        tab.keyboard.press(key)


def save(tab: Page, path: Path) -> None:
    tab.wait_for_timeout(300)
    Image.open(io.BytesIO(tab.screenshot())).convert("RGB").save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    if path.stat().st_size > LARGEST:
        raise SystemExit(f"{path} is larger than {LARGEST / 1000:.0f} kB")


def take(page: Path, out: Path, *, every: bool) -> None:
    """The pictures of one page that docs/report.md shows, or all."""
    with browser() as chromium:
        tab = opened(chromium, page, DESKTOP)
        if every:
            save(tab, out / "report_top.png")
        to_review(tab, "aan")
        save(tab, out / "report.png")
        tab.keyboard.press("Enter")
        save(tab, out / "report_close.png")
        tab = opened(chromium, page, DESKTOP, dark=True)
        to_review(tab, "aan")
        save(tab, out / "report_dark.png")
        if every:
            tab = opened(chromium, page, PHONE, scale=1.5)
            to_review(tab)
            save(tab, out / "report_phone.png")


def take_card(card: Path, out: Path) -> None:
    """The picture that docs/card.md shows: the top of a card."""
    with browser() as chromium:
        save(opened(chromium, card, TALL, ready="main"), out / "card.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--card", action="store_true")
    parser.add_argument("--out", type=Path, default=FIGURES)
    given = parser.parse_args()
    if given.page is not None:
        take(given.page, given.out, every=True)
        return
    with TemporaryDirectory() as folder:
        demo, page, card = load_demo(), Path(folder, "page.html"), Path(folder, "card.html")
        detector = fitted(demo)
        demo_card(detector, demo, card)
        take_card(card, given.out)
        if not given.card:
            demo_page(detector, demo, page)
            take(page, given.out, every=False)


if __name__ == "__main__":
    main()
