"""Write the tables of docs/ from the committed results; nothing in them is typed by hand.

    python scripts/make_tables.py [--check]

A page shows a table between the lines `<!-- table:NAME -->` and `<!-- end -->`; other files are written whole.
--check changes nothing and exits 1 if a table is not what the results say.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import re
import sys
from typing import Any

import tables
from tables.results import ROOT


def every(kind: str) -> dict[str, Any]:
    """What the modules of tables hold: TABLES by name, each with its pages, or FILES by path."""
    found: dict[str, Any] = {}
    for module in pkgutil.iter_modules(tables.__path__):
        found |= getattr(importlib.import_module(f"tables.{module.name}"), kind, {})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale: list[str] = []
    missing: list[str] = []
    for name, (make, pages) in every("TABLES").items():
        pattern = re.compile(rf"(<!-- table:{name} -->\n).*?(<!-- end -->)", re.DOTALL)
        made = make()
        for page in pages:
            path = ROOT / page
            old = path.read_text()
            new, count = pattern.subn(lambda match, made=made: f"{match[1]}{made}\n{match[2]}", old)
            if not count:
                missing.append(f"{page} has no place for {name}")
            if new != old:
                stale.append(page)
                if not check:
                    path.write_text(new)
    for page, make in every("FILES").items():
        path = ROOT / page
        made = make()
        if not path.exists() or path.read_text() != made:
            stale.append(page)
            if not check:
                path.write_text(made)
    print(f"{'stale' if check else 'written'}: {', '.join(dict.fromkeys(stale)) or 'none'}")
    if missing:
        sys.exit("; ".join(missing))
    if check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
