"""Plants known faults into a copy of the package, one at a time; a test must fail for each.

    python benchmarks/mutants.py [NAME ...] [--part K/N]

A fault names the file, the text that is replaced, and the tests that must notice. A text that is not found is an error,
so the list cannot go stale. Exits 1 if a mutant survives.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import planted
from planted import Mutant

ROOT = Path(__file__).resolve().parent.parent
MUTANTS: list[Mutant] = [
    mutant
    for found in pkgutil.iter_modules(planted.__path__)
    for mutant in importlib.import_module(f"planted.{found.name}").MUTANTS
]
WORKERS = os.cpu_count() or 1


def survives(mutant: Mutant) -> bool:
    """Run the mutant's tests on a copy of the package with the fault in it."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        file = source / "amiss" / mutant.file
        text = file.read_text()
        for old, new in mutant.changes:
            if text.count(old) != 1:
                sys.exit(f"mutant {mutant.name!r}: {old!r} stands {text.count(old)} times in {mutant.file}, not once")
            text = text.replace(old, new)
        file.write_text(text)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
        pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", mutant.tests]
        done = subprocess.run(pytest, cwd=ROOT, env=environment, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            sys.exit(f"mutant {mutant.name!r}: the tests could not run\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.returncode == 0


def judged(mutant: Mutant) -> tuple[Mutant, bool, float]:
    started = time.perf_counter()
    return mutant, survives(mutant), time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="words in the names of the mutants; all if not given")
    parser.add_argument("--part", default="1/1", metavar="K/N", help="every Nth mutant, beginning with the Kth")
    args = parser.parse_args()
    part, parts = map(int, args.part.split("/"))
    chosen = [m for m in MUTANTS if not args.names or any(word in m.name for word in args.names)][part - 1 :: parts]
    alive = 0
    with ThreadPoolExecutor(WORKERS) as pool:  # each waits for a process of its own
        for mutant, lives, seconds in pool.map(judged, chosen):
            alive += lives
            print(f"{'SURVIVED' if lives else 'killed':<9} {mutant.name} ({seconds:.0f} s)", flush=True)
    print(f"{len(chosen) - alive} of {len(chosen)} mutants killed")
    if alive:
        sys.exit(1)


if __name__ == "__main__":
    main()
