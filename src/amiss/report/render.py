"""From a page's values to one HTML file that needs nothing else, loads nothing, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from amiss.contracts import InputError
from amiss.data.atomic import write_atomic
from amiss.explain.showing import INFERNO
from amiss.report.page import Page
from amiss.report.words import number, p_text, short, shown, split_path

if TYPE_CHECKING:
    import jinja2

EXTRA = 'a report needs Jinja2: pip install "amiss[report]"'
SETS = {"train": "trained on", "calibration": "calibrates", "held_out": "held out", "test": "test", "new": "new"}
"""What cards call the sets."""


def require_jinja() -> None:
    """Raise InputError where the extra is not installed, before any work is done."""
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise InputError(EXTRA) from error


def write_page(page: Page, path: Path) -> None:
    """Write the page, whole or not at all; raises InputError without Jinja2, WorkError if it cannot be written."""
    text = render(page)
    write_atomic(path, lambda file: file.write(text.encode("utf-8", errors="backslashreplace")))


def render(page: Page) -> str:
    """Return the page as HTML; raises InputError where Jinja2 is not installed."""
    here = files("amiss.report")
    style, script = ((here / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            identity=identity(page),
            style=style,
            script=script,
            policy=policy(style, script),
            data=embedded(data_of(page)),
            anchors=INFERNO,
            sets=sorted({card.where for card in page.cards}),
            set_names=SETS,
            truths=sorted({card.truth for card in page.cards if card.truth}),
            ranked=any(card.suspicion is not None for card in page.cards),
            decided=any(card.above is not None for card in page.cards),
        )
    )


def environment() -> jinja2.Environment:
    """Templates of this package, which escape everything; raises InputError where Jinja2 is not installed."""
    try:
        import jinja2
    except ImportError as error:
        raise InputError(EXTRA) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("amiss.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "p_text": p_text,
        "short": short,
        "shown": shown,
        "split_path": split_path,
    }
    return environment


def policy(style: str, script: str = "") -> str:
    """The content security policy: pictures inside the page, this style sheet and this script, and nothing else."""
    runs = f"script-src {_hash(script)}; " if script else ""
    return f"default-src 'none'; img-src data:; style-src {_hash(style)}; {runs}base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def identity(page: Page) -> str:
    """Names a page by its images and scores, so that the same page made again keeps its ticks."""
    rows = [[card.name, card.score, card.where] for card in page.cards]
    return hashlib.sha256(json.dumps([page.title, rows]).encode("ascii")).hexdigest()[:16]


def data_of(page: Page) -> dict[str, object]:
    """What the script has to know: for each card the exact name, the score and the set."""
    return {
        "id": identity(page),
        "threshold": page.threshold,
        "cards": [[card.name, repr(card.score), card.where, int(bool(card.above))] for card in page.cards],
    }


def embedded(value: object) -> str:
    """JSON that can stand in a script element: ASCII, and without `<`, `>` and `&`."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
