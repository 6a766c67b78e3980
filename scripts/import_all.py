"""Import every module of amiss: where only the core is installed, this finds an import that is not declared."""

from __future__ import annotations

import importlib
import pkgutil
import warnings

import amiss

NEEDS_EXTRA = ("amiss.serve.",)  # imported by `amiss serve` alone, once its extra is known to be there


def main() -> None:
    warnings.simplefilter("error")
    found = [
        info.name
        for info in pkgutil.walk_packages(amiss.__path__, "amiss.")
        if info.name != "amiss.__main__" and not info.name.startswith(NEEDS_EXTRA)
    ]
    for name in found:
        importlib.import_module(name)
    print(f"{len(found)} modules import with the core dependencies")


if __name__ == "__main__":
    main()
