"""Take the pictures of docs/figures: reports, a card, the page of `amiss serve`; in about four minutes.

Needs the extras report, serve and browser, and a Chromium that is installed. The images are the bundled ones of `amiss
demo`. --card and --serve take the pictures of the card, or of the served page, alone. --page PAGE.html takes pictures
of another page instead, into --out, those too that docs/ does not show.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
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
    page: Path | str,
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
    tab.goto(page if isinstance(page, str) else page.resolve().as_uri())
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
    write(Image.open(io.BytesIO(tab.screenshot())), path)


def write(shot: Image.Image, path: Path) -> None:
    shot.convert("RGB").save(path, optimize=True)
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


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """The address of a server, which runs as anybody's does."""
    command = [sys.executable, "-m", "amiss", "serve", str(model), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[2]
    finally:
        process.terminate()
        process.wait()


def session(demo: Demo, folder: Path) -> tuple[list[Path], list[Path]]:
    """Files of normal test images that come first, and of some more with a few anomalous ones among them."""
    normal, anomalous = (np.flatnonzero(demo.test_labels == label) for label in (0, 1))
    order = np.random.default_rng(1).permutation(np.concatenate([normal[200:220], anomalous[:4]]))
    pixels = demo.test.take(np.arange(len(demo.test))).numpy()[:, 0]

    def write(kind: str, rows: np.ndarray) -> list[Path]:
        paths = [folder / f"{kind}-{i + 1:03}.png" for i in range(len(rows))]
        for path, row in zip(paths, rows, strict=True):
            Image.fromarray(pixels[row]).save(path)
        return paths

    return write("early", normal[:200]), write("garment", order)


def inspected(tab: Page, files: list[Path]) -> Page:
    """The page after images were chosen, the most anomalous of them shown closely."""
    tab.set_input_files("#files", files)
    tab.wait_for_selector(f"#list li:nth-child({len(files)}) [data-kind=normal], #list [data-kind=anomalous]")
    tab.wait_for_selector("#progress", state="hidden")
    return tab


def closely(tab: Page) -> Page:
    tab.select_option("#sort", "high")
    tab.locator("#list button").first.click()
    tab.wait_for_selector("#tiles canvas")
    return tab


def take_served(detector: Detector, demo: Demo, folder: Path, out: Path) -> None:
    """The pictures that docs/serve.md shows: light, dark, and a phone's list beside its close look."""
    model = folder / "t-shirts.safetensors"
    detector.save(model)
    early, files = session(demo, folder)
    with serving(model) as address, browser() as chromium:
        inspected(opened(chromium, address, DESKTOP), early)  # so that drift has been tested
        for name, dark in (("serve", False), ("serve_dark", True)):
            save(closely(inspected(opened(chromium, address, DESKTOP, dark=dark), files)), out / f"{name}.png")
        tab = inspected(opened(chromium, address, PHONE, scale=1.5), files)
        shots = [tab.screenshot(), (closely(tab), tab.wait_for_timeout(300), tab.screenshot())[-1]]
        save_side_by_side([Image.open(io.BytesIO(shot)) for shot in shots], out / "serve_phone.png")


def save_side_by_side(shots: list[Image.Image], path: Path) -> None:
    gap = 24
    wide = Image.new("RGB", (sum(shot.width + gap for shot in shots) - gap, shots[0].height), (128, 128, 128))
    for i, shot in enumerate(shots):
        wide.paste(shot, (i * (shot.width + gap), 0))
    write(wide, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--card", action="store_true")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--out", type=Path, default=FIGURES)
    given = parser.parse_args()
    if given.page is not None:
        take(given.page, given.out, every=True)
        return
    with TemporaryDirectory() as folder:
        demo, page, card = load_demo(), Path(folder, "page.html"), Path(folder, "card.html")
        detector = fitted(demo)
        every = not (given.card or given.serve)
        if every or given.card:
            demo_card(detector, demo, card)
            take_card(card, given.out)
        if every or given.serve:
            take_served(detector, demo, Path(folder), given.out)
        if every:
            demo_page(detector, demo, page)
            take(page, given.out, every=False)


if __name__ == "__main__":
    main()
