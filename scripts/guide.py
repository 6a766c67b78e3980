"""Run the story of docs/guide.md on real scans, and keep every command's output and the pictures.

    AMISS_DATA=DIR python scripts/guide.py [--out results/guide.json] [--figures docs/figures] [--work DIR]

Needs Brain MRI below AMISS_DATA, the extras report and browser, and a Chromium. Writes one JSON file with the commands
in their order and what they printed, from which `make docs` fills the page, and docs/figures/guide_*.png. Progress
lines are left out of the outputs. The mistakes of the story are made here: PLANTED scans with a tumour are put among
the normal ones, and the review marks those of them that stand among the first LOOKED cards, and nothing else.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from amiss import __version__

ROOT = Path(__file__).parents[1]
NORMAL, PLANTED, TUMOURS, LOOKED = 70, 5, 60, 25
SEED = 0
PROGRESS = re.compile(r"^[\w ()]+: [\d,]+(/[\d,]+)? \d+:\d\d")
TALL = {"width": 1100, "height": 640}


def lay_out(home: Path, work: Path) -> set[str]:
    """Copy scans to scans/ and later/ under neutral names; return the paths of the planted ones."""
    rng = np.random.default_rng(SEED)
    normal = rng.permutation(distinct(home / "brain-mri" / "no"))
    tumours = rng.permutation(distinct(home / "brain-mri" / "yes"))[: PLANTED + TUMOURS]
    training = rng.permutation([*normal[:NORMAL], *tumours[:PLANTED]])
    folders = {"scans": training, "later/normal": normal[NORMAL:], "later/tumour": tumours[PLANTED:]}
    planted = set()
    for folder, files in folders.items():
        (work / folder).mkdir(parents=True)
        for i, file in enumerate(files):
            place = work / folder / f"{i:03}.png"
            shutil.copyfile(file, place)
            if folder == "scans" and file in tumours:
                planted.add(str(place.relative_to(work)))
    return planted


def distinct(folder: Path) -> list[Path]:
    """The images of a folder in the order of their names, without those whose pixels equal an earlier one's."""
    first: dict[bytes, Path] = {}
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as image:
            first.setdefault(repr(image.size).encode() + image.convert("L").tobytes(), path)
    return list(first.values())


class Story:
    """Runs commands in the working folder and keeps what they say."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.kept: dict[str, dict[str, str]] = {}

    def run(self, name: str, command: str) -> str:
        """Run `amiss ...` and keep it under a name; a command that fails ends the script."""
        print(f"$ {command}", flush=True)
        words = shlex.split(command)
        assert words[0] == "amiss"
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.work,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
        if done.returncode:
            raise SystemExit(done.stdout)
        output = "\n".join(line for line in done.stdout.splitlines() if not PROGRESS.match(line))
        self.kept[name] = {"command": command, "output": output}
        return output


def cards(page: str) -> list[str]:
    """Names of a page's cards in their order, from the data that its script reads."""
    found = re.search(r'"cards":(\[\[.*?\]\])', page)
    assert found is not None
    return [card[0] for card in json.loads(found[1])]


def photograph(page: Path, out: Path, *, keys: str = "", top: bool = False) -> None:
    """Take a picture of a page's head, or of its cards after keys were pressed."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("google-chrome")
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        tab = chromium.new_context(viewport=TALL, color_scheme="light", reduced_motion="reduce").new_page()
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector("html[data-ready]")
        if not top:
            tab.evaluate("document.getElementById('review').scrollIntoView()")
        for key in keys:
            tab.keyboard.press(key)
        tab.wait_for_timeout(300)
        shot = Image.open(io.BytesIO(tab.screenshot())).convert("RGB").quantize(128)
        shot.save(out, optimize=True)
        chromium.close()
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


def review(work: Path, names: list[str], planted: set[str]) -> tuple[int, str]:
    """Tick the first LOOKED cards as someone who can read them would; return the hits and the keys that do it."""
    looked = names[:LOOKED]
    with (work / "review.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image_path", "review"])
        rows.writerows([name, "anomaly"] for name in looked if name in planted)
    return sum(name in planted for name in looked), "j" + "".join("a" if n in planted else "j" for n in looked[:8])


def tell(story: Story, planted: set[str], figures: Path) -> dict[str, object]:
    """The story, command by command."""
    work, method = story.work, "pca"
    story.run("fit", f"amiss fit scans -o brains.safetensors --method {method} --report fit.html --report-folds 5")
    page = work / "fit.html"
    names = cards(page.read_text(encoding="utf-8"))
    found, keys = review(work, names, planted)
    photograph(page, figures / "guide_fit.png", keys=keys)
    story.run("refit", "amiss refit brains.safetensors review.csv -o brains2.safetensors")
    story.run("score", "amiss score brains2.safetensors later -o later.csv --report later.html")
    photograph(work / "later.html", figures / "guide_score.png")
    measure = "--normal later/normal --anomalous later/tumour"
    story.run("before", f"amiss evaluate brains.safetensors {measure}")
    story.run("after", f"amiss evaluate brains2.safetensors {measure} --report test.html")
    photograph(work / "test.html", figures / "guide_test.png", top=True)
    story.run("looser", "amiss score brains2.safetensors later --fpr 0.2 -o more.csv")
    with (work / "more.csv").open(newline="") as file:
        above = [row["image_path"] for row in csv.DictReader(file) if row["pred_label"] == "1"]
    return {
        "training": NORMAL + PLANTED,
        "planted": len(planted),
        "looked": LOOKED,
        "found": found,
        "unseen": len(list((work / "later" / "normal").iterdir())),
        "tumours": TUMOURS,
        "alarms": sum("/normal/" in name for name in above),
        "detected": sum("/tumour/" in name for name in above),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "guide.json")
    parser.add_argument("--figures", type=Path, default=ROOT / "docs" / "figures")
    parser.add_argument("--work", type=Path, help="a folder to work in, kept; a temporary one, if not given")
    given = parser.parse_args()
    with TemporaryDirectory() as scratch:
        work = Path(scratch, "guide") if given.work is None else given.work
        work.mkdir(parents=True)
        planted = lay_out(Path(os.environ["AMISS_DATA"]), work)
        story = Story(work)
        facts = tell(story, planted, given.figures)
    kept = {"amiss": __version__, "seed": SEED, "facts": facts, "commands": story.kept}
    given.out.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
