"""Wrong images, wrong requests and wrong model files, in thousands: no crash, no hang, no memory above a limit.

    python benchmarks/serve_fuzz.py [--count 1500] [--seed 0] [--memory-mb 2048] [--out results/serve_fuzz.json]

A server runs as `amiss serve` does, its address space capped at --memory-mb above what it takes when it is ready. It
gets --count image files made wrong by a seed (all five formats, bombs among them; each in a form, a tenth of them to be
explained) and --count wrong requests. Every answer has to be 200 or 4xx and come within --patience seconds; where the
request is no HTTP, the connection may be closed instead. A right image has to be scored before and after. Then --count
wrong model files are loaded in a process of its own, capped alike: each is refused by InputError, or loads. Exits 1 for
whatever else happened, and names the cases.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

import mutated_bodies
import mutated_images
import mutated_models
from amiss import Detector
from amiss.artifact.file import from_bytes
from amiss.contracts import InputError
from bodies import form, request
from cells import ROOT, Row, provenance
from server_process import Server, served

OUT = ROOT / "results" / "serve_fuzz.json"
CLIENTS = 8
Case = tuple[str, bytes]
"""What was done, and the bytes that are sent."""


def models(folder: Path) -> list[Path]:
    """Small models of several kinds, of smooth random images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 7, 7), np.uint8).repeat(4, 1).repeat(4, 2)
    made = []
    for name in ("knn", "pca", "kde"):
        Detector(name, fpr=0.05).fit(images).save(folder / f"{name}.safetensors")
        made.append(folder / f"{name}.safetensors")
    return made


def as_forms(files: Sequence[Case], model: str) -> list[Case]:
    """A request for each file; every tenth is to be explained."""
    paths = [f"/{'explain' if i % 10 == 9 else 'score'}?model={model}" for i in range(len(files))]
    return [(name, request(path, form([(name, content)]))) for path, (name, content) in zip(paths, files, strict=True)]


def ask(server: Server, data: bytes, patience: float) -> tuple[str, float]:
    """Send bytes on a connection of their own: the status, or what happened instead, and seconds."""
    started = time.perf_counter()
    with socket.create_connection((server.host, server.port), timeout=patience) as connection:
        with suppress(OSError):  # an answer may have come before all was sent
            connection.sendall(data)
        try:
            found = b""
            while b"\r\n" not in found and (part := connection.recv(65536)):
                found += part
        except TimeoutError:
            return "no answer", time.perf_counter() - started
        except OSError:
            return "closed", time.perf_counter() - started
    return found[9:12].decode("latin-1") if found else "closed", time.perf_counter() - started


def send(server: Server, cases: Sequence[Case], patience: float) -> tuple[Row, list[int]]:
    """Send all; a row of what came back, and the indices of cases that should have had another answer."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(lambda case: ask(server, case[1], patience), cases))
    statuses = [status for status, _ in answers]
    bad = [i for i, status in enumerate(statuses) if not (status in ("200", "closed") or status.startswith("4"))]
    row: Row = {
        "cases": len(cases),
        "answers": dict(sorted(Counter(statuses).items())),
        "slowest_seconds": round(max(seconds for _, seconds in answers), 2),
        "bad": [f"{i} {cases[i][0]}: {statuses[i]}" for i in bad][:50],
        "memory_mb": server.memory(),
    }
    return row, bad


class Hung(BaseException):
    """A case that takes too long."""


def _alarm(*_: object) -> None:
    raise Hung


def load_all(cases: Sequence[Case], memory_mb: int, patience: float) -> Row:
    """Load wrong model files, one after the other."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + memory_mb * 2**20,) * 2)
    signal.signal(signal.SIGALRM, _alarm)
    outcomes: Counter[str] = Counter()
    bad, slowest = [], 0.0
    for i, (what, data) in enumerate(cases):
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, patience)
        try:
            from_bytes(data)
            outcomes["loaded"] += 1
        except InputError:
            outcomes["refused"] += 1
        except (Exception, Hung) as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            outcomes["bad"] += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            bad.append(f"{i} {what}: {error!r}"[:300] + f" at {Path(where.filename).name}:{where.lineno}")
        signal.setitimer(signal.ITIMER_REAL, 0)
        slowest = max(slowest, time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "cases": len(cases),
        "outcomes": dict(outcomes),
        "slowest_seconds": round(slowest, 2),
        "bad": bad[:50],
        "memory_mb": {"peak": round(peak, 1), "before": round(taken / 2**20, 1)},
    }


def measure(args: argparse.Namespace, folder: Path) -> Row:
    """Everything; a row of it."""
    files = models(folder)
    started = time.perf_counter()
    images = mutated_images.corpus(args.seed, args.count)
    bodies = mutated_bodies.corpus(args.seed, args.count, mutated_images.originals(), "knn", (1, 28, 28))
    right = request("/score?model=knn", form([mutated_images.originals()[0]]))
    limits = ["--limits.body-seconds", "2"]
    row: Row = {"seed": args.seed, "memory_limit_mb": args.memory_mb}
    with served(files[:2], folder / "log", *limits, memory_mb=args.memory_mb) as server:
        row["memory_before_mb"] = server.memory()
        before = ask(server, right, args.patience)[0]
        for name, cases in (("images", as_forms(images, "knn")), ("requests", bodies)):
            row[name], bad = send(server, cases, args.patience)
            print(name, json.dumps(row[name]), flush=True)
            for i in bad if args.keep else []:
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{name}-{i}").write_bytes(cases[i][1])
        row["right_image_before_and_after"] = [before, ask(server, right, args.patience)[0]]
        row["alive"] = server.alive()
        row["errors_in_log"] = [line[:2000] for line in server.log.open() if '"level": "error"' in line][:10]
    row["exit_status"] = server.process.returncode
    broken = mutated_models.corpus(args.seed, args.count, [file.read_bytes() for file in files])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        row["models"] = pool.apply(load_all, (broken, args.memory_mb, args.patience))
    print("models", json.dumps(row["models"]), flush=True)
    return row | {"seconds": round(time.perf_counter() - started, 1), **provenance()}


def problems(row: Row) -> list[str]:
    """What should not have happened."""
    found = [f"{name}: {row[name]['bad']}" for name in ("images", "requests", "models") if row[name]["bad"]]  # type: ignore[index]
    if row["right_image_before_and_after"] != ["200", "200"] or not row["alive"] or row["exit_status"] != 0:
        found.append("the server was not the same at the end")
    return found + ([f"errors in its log: {row['errors_in_log']}"] if row["errors_in_log"] else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1500, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory-mb", type=int, default=2048, help="most address space above what is taken when ready")
    parser.add_argument("--patience", type=float, default=30, help="seconds")
    parser.add_argument("--keep", type=Path, help="folder for cases with a bad answer")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        row = measure(args, Path(folder))
    args.out.write_text(json.dumps(row, indent=1, sort_keys=True) + "\n")
    if found := problems(row):
        sys.exit("; ".join(found))


if __name__ == "__main__":
    main()
