"""Write the tables of docs/ from the committed results; nothing in them is typed by hand.

    python scripts/make_tables.py [--check]

A page shows a table between the lines `<!-- table:NAME -->` and `<!-- end -->`.
--check changes nothing and exits 1 if a table is not what the results say.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import re
import sys
from collections.abc import Callable

import tables
from tables.results import ROOT

Table = tuple[Callable[[], str], list[str]]


def every() -> dict[str, Table]:
    """Tables by name, each with its pages."""
    found: dict[str, Table] = {}
    for module in pkgutil.iter_modules(tables.__path__):
        found |= getattr(importlib.import_module(f"tables.{module.name}"), "TABLES", {})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale: list[str] = []
    missing: list[str] = []
    for name, (make, pages) in every().items():
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
    print(f"{'stale' if check else 'written'}: {', '.join(dict.fromkeys(stale)) or 'none'}")
    if missing:
        sys.exit("; ".join(missing))
    if check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
