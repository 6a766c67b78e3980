"""A server under load: 32 clients, real PNGs, then a tenth of requests broken; throughput beside that in one process.

    AMISS_DATA=DIR python benchmarks/serve_load.py [--seconds 180] [--out results/serve_load.json]

GradCon is fitted for one epoch (what a score costs does not depend on it) on 700 T-shirts of Fashion-MNIST, 28 x 28,
and on 60 tomographies of Head CT, 128 x 128; `amiss serve` serves both, log included. Clients, server and the process
that it is compared with share this machine. Three steps:

1. rounds: `Detector.score` on the PNG files in a process of its own, then the server with 16 and with 1 images a
   request, over and over for a few seconds each, so that a load of the machine meets all of them alike; for both sets;
2. good: 32 clients for --seconds, 16 images a request;
3. mixed: the same with a tenth of the requests malformed, in ten ways.

Every answer is compared with what `Detector.score` says of the files. A busy machine moves images a second; it hardly
moves processor time of an image, of which the clients' own counts as the server's, so that is told too. Exits 1 if an
answer was wrong, a malformed request got anything but a 4xx, memory grew, the server ended, or with 16 images a request
a second of processor time scores less than 0.8 of what it does in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from amiss import Detector, catalog
from amiss.data.reading import Source
from amiss.data.sets import data_home
from amiss.data.sets import load as load_set
from amiss.export.tolerance import TABLE, Scale
from amiss.methods.gradcon import GradCon
from bodies import form, request
from cells import ROOT, Row, provenance
from clients import Asked, Check, Tally, load
from server_process import Server, served

OUT = ROOT / "results" / "serve_load.json"
SEED, CLIENTS, FILES, EACH = 0, 32, 512, 40
STRETCH = 128
"""Files that one process scores between two looks at the clock."""
LEAST, GROWTH_MB = 0.8, 32.0


@dataclass(frozen=True)
class Subject:
    """A model file, and files of real images to score with it."""

    model: Path
    files: list[Path]


def shirts(folder: Path) -> Subject:
    """Small images, where HTTP costs about what scoring does."""
    found = load_set("fashion-mnist", "train")
    pixels = found.images.take(np.flatnonzero(found.labels == 0)[:700]).numpy()
    model = fitted(pixels, folder / "shirts.safetensors")
    tested = load_set("fashion-mnist", "test").images.take(np.arange(FILES)).numpy()
    files = [folder / f"{i:05}.png" for i in range(FILES)]
    for path, image in zip(files, tested, strict=True):
        Image.fromarray(image[0]).save(path)
    return Subject(model, files)


def heads(folder: Path) -> Subject:
    """Images of an ordinary size, in the set's own files."""
    home = data_home() / "head-ct"
    normal = sorted(map(str, (home / "normal").glob("*.png")))
    model = fitted(normal[:60], folder / "heads.safetensors")
    return Subject(model, sorted(home.glob("*/*.png")))


def fitted(images: Source, model: Path) -> Path:
    """GradCon after one epoch."""
    method = catalog.load("gradcon")
    assert isinstance(method, GradCon)
    Detector(replace(method, epochs=1), fpr=0.1, random_state=SEED).fit(images).save(model)
    return model


@dataclass
class Inexact:
    """Answers that are not bit for bit what one process says, in units of the spread of normal scores."""

    images: int = 0
    largest: float = 0.0
    beyond: int = 0
    """Images beyond the usual tolerance."""
    labels_near: int = 0
    """Other labels, of images within the tolerance of the threshold."""


class Requests:
    """Requests with the answers that they have to get."""

    def __init__(self, subject: Subject) -> None:
        self.path = f"/score?model={subject.model.stem}"
        self.model, self.files = subject.model.stem, [(path.name, path.read_bytes()) for path in subject.files]
        detector = Detector.load(subject.model)
        table = detector.score([str(path) for path in subject.files])
        self.scale, self.threshold = Scale.of(detector.calibration.scores), detector.threshold_
        self.rows = [row._asdict() | {"image_path": Path(row.image_path).name} for row in table]
        self.inexact = Inexact()

    def good(self, indices: Sequence[int]) -> Asked:
        """Files that are scored."""
        rows = [self.rows[i] for i in indices]
        wanted = json.dumps({"model": self.model, "results": rows}).encode()
        body = form([self.files[i] for i in indices])
        return Asked("good", request(self.path, body), len(indices), self._same(wanted, rows))

    def _same(self, wanted: bytes, rows: list[dict[str, object]]) -> Check:
        def check(status: int, body: bytes) -> str | None:
            if status == 200 and body == wanted:
                return None
            if status != 200:
                return f"status {status}: {body[:100]!r}"
            return self._compare(json.loads(body)["results"], rows)

        return check

    def _compare(self, found: list[dict[str, object]], rows: list[dict[str, object]]) -> str | None:
        """Scores within the table of `export/tolerance.py`: batches of other sizes round differently."""
        ours, theirs = (np.array([row["pred_score"] for row in rows_], np.float64) for rows_ in (found, rows))
        apart = self.scale.difference(ours, theirs)
        near = self.scale.near(theirs, self.threshold, TABLE.usual)
        others = np.array([one["pred_label"] != row["pred_label"] for one, row in zip(found, rows, strict=True)])
        self.inexact.images += int((ours != theirs).sum())
        self.inexact.beyond += int((apart > TABLE.usual).sum())
        self.inexact.largest = max(self.inexact.largest, float(apart.max()))
        self.inexact.labels_near += int((others & near).sum())
        return "another score" if apart.max() > TABLE.worst else "another label" if (others & ~near).any() else None

    def bad(self) -> list[Asked]:
        """Ten ways of being malformed; all of them get a 4xx."""
        png = self.files[0][1]
        encoded = base64.b64encode(png).decode()
        json_kind = "application/json"
        ways = {
            "cut png": request(self.path, form([("cut.png", png[: len(png) // 2])])),
            "text": request(self.path, form([("a.png", b"no image at all")])),
            "empty file": request(self.path, form([("a.png", b"")])),
            "one bad of three": request(self.path, form([self.files[0], ("a.png", png[:40]), self.files[1]])),
            "another field": request(self.path, form([self.files[0]], field="image")),
            "no boundary": request(self.path, form([self.files[0]]), "multipart/form-data"),
            "too many": request(self.path, form([self.files[0]] * 65)),
            "no json": request(self.path, b'{"images": [', json_kind),
            "no base64": request(self.path, json.dumps({"images": [encoded[:-3] + "!!"]}).encode(), json_kind),
            "another kind": request(self.path, png, "image/png"),
        }
        return [Asked(f"bad: {name}", data, 0, _is_4xx) for name, data in ways.items()]

    def lists(self, each: int, share: float = 0.0) -> list[list[Asked]]:
        """A list for each client of requests of `each` images, a share of them malformed, drawn by the seed."""
        rng, bad = np.random.default_rng(SEED), self.bad()
        own = []
        for _ in range(CLIENTS):
            requests = [self.good(rng.integers(0, len(self.files), each)) for _ in range(EACH)]
            for at in rng.choice(EACH, round(share * EACH), replace=False):
                requests[at] = bad[rng.integers(len(bad))]
            own.append(requests)
        return own


def _is_4xx(status: int, body: bytes) -> str | None:
    return None if 400 <= status < 500 and json.loads(body)["error"] else f"status {status}: {body[:100]!r}"


class InProcess:
    """A process of its own that scores files without a server, when it is asked to."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        context.Process(target=_score_when_asked, args=(subjects, theirs), daemon=True).start()
        self.pipe.recv()

    def speed(self, subject: int, seconds: float) -> tuple[float, float]:
        """Score for so long: images a second, and milliseconds of processor time of an image."""
        self.pipe.send((subject, seconds))
        return self.pipe.recv()

    def close(self) -> None:
        """End the process."""
        self.pipe.send(None)


def _score_when_asked(subjects: Sequence[Subject], pipe: Connection) -> None:
    detectors = [Detector.load(subject.model) for subject in subjects]
    files = [[str(path) for path in subject.files] for subject in subjects]
    for detector, paths in zip(detectors, files, strict=True):
        detector.score(paths[:64])
    pipe.send(None)
    while told := pipe.recv():
        at, seconds = told
        started, before, images = time.perf_counter(), time.process_time(), 0
        starts = itertools.cycle(range(0, len(files[at]), STRETCH))
        while time.perf_counter() - started < seconds:
            start = next(starts)
            images += len(detectors[at].score(files[at][start : start + STRETCH]))
        used = time.process_time() - before
        pipe.send((images / (time.perf_counter() - started), 1000 * used / images))


def rounds(server: Server, requests: Requests, alone: InProcess, at: int, count: int, seconds: float) -> Row:
    """Images a second in one process and over HTTP, in turns, and processor time of an image; medians of the ratios."""
    lists = {16: requests.lists(16), 1: requests.lists(1)}
    speeds: dict[str, list[float]] = {"in_process": [], **{f"http_{each}": [] for each in lists}}
    costs: dict[str, list[float]] = {name: [] for name in speeds}
    every = Tally()
    for _ in range(count):
        speed, cost = alone.speed(at, seconds)
        speeds["in_process"].append(speed)
        costs["in_process"].append(cost)
        for each, own in lists.items():
            tally, server_before, ours_before = Tally(), server.cpu_seconds(), time.process_time()
            asyncio.run(load(server.host, server.port, own, seconds, tally))
            used = server.cpu_seconds() - server_before + time.process_time() - ours_before
            speeds[f"http_{each}"].append(tally.images / tally.took)
            costs[f"http_{each}"].append(1000 * used / max(1, tally.images))
            every.wrong += tally.wrong
    faster = {f"ratio_{each}": _median_ratio(speeds[f"http_{each}"], speeds["in_process"]) for each in lists}
    cheaper = {f"cpu_ratio_{each}": _median_ratio(costs["in_process"], costs[f"http_{each}"]) for each in lists}
    return {
        "seconds_each": seconds,
        "images_per_second": {name: [round(x, 1) for x in values] for name, values in speeds.items()},
        "cpu_ms_per_image": {name: [round(x, 3) for x in values] for name, values in costs.items()},
        **faster,
        **cheaper,
        "wrong": dict(every.wrong),
        "load_average": [round(x, 2) for x in os.getloadavg()],
    }


def _median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return round(float(np.median(np.array(above) / np.array(below))), 3)


async def part(server: Server, lists: Sequence[Sequence[Asked]], seconds: float, every: float) -> Row:
    """One long part, with the server's memory on the way."""
    tally, samples = Tally(), [{"second": 0.0, **server.memory()}]
    started = time.perf_counter()

    async def sample() -> None:
        while True:
            await asyncio.sleep(every)
            samples.append({"second": round(time.perf_counter() - started, 1), **server.memory()})

    sampling = asyncio.create_task(sample())
    before = server.cpu_seconds()
    await load(server.host, server.port, lists, seconds, tally)
    sampling.cancel()
    return {
        "seconds": round(tally.took, 1),
        "clients": len(lists),
        "statuses": dict(sorted(tally.statuses.items())),
        "wrong": dict(tally.wrong),
        "images_per_second": round(tally.images / tally.took, 1),
        "server_cores_used": round((server.cpu_seconds() - before) / tally.took, 2),
        "milliseconds": {kind: _percentiles(tally.seconds[kind]) for kind in tally.seconds if kind == "good"},
        "milliseconds_of_bad": _percentiles([s for kind, v in tally.seconds.items() if kind != "good" for s in v]),
        "memory_mb": samples,
        "growth_mb": growth([sample["anonymous"] for sample in samples]),
        "load_average": [round(x, 2) for x in os.getloadavg()],
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    found = np.percentile(np.array(seconds) * 1000, [50, 90, 99, 100])
    return dict(zip(("p50", "p90", "p99", "largest"), (round(float(x), 1) for x in found), strict=True))


def growth(values: Sequence[float]) -> float:
    """Megabytes: the median of the last third of samples over that of the second sixth."""
    n = len(values)
    early, late = values[n // 6 : max(n // 6 + 1, n // 3)], values[2 * n // 3 :]
    return round(float(np.median(late) - np.median(early)), 1)


def measure(args: argparse.Namespace, folder: Path) -> tuple[Row, list[str]]:
    """All three steps; what was found, and what is wrong with it."""
    subjects = [shirts(folder), heads(folder)]
    asked = [Requests(subject) for subject in subjects]
    alone = InProcess(subjects)
    turns: dict[str, list[Row]] = {requests.model: [] for requests in asked}
    parts: dict[str, Row] = {}

    def take_turns() -> None:
        for at, requests in enumerate(asked):
            turns[requests.model].append(rounds(server, requests, alone, at, args.rounds, args.round_seconds))
            print(requests.model, json.dumps(turns[requests.model][-1]), flush=True)

    with served(
        [subject.model for subject in subjects], folder / "server.log", "--limits.answer-seconds", "120"
    ) as server:
        take_turns()
        for name, share in (("good", 0.0), ("mixed", 0.1)):
            lists = asked[0].lists(args.each, share)
            parts[name] = asyncio.run(part(server, lists, args.seconds, args.every))
            print(name, json.dumps(parts[name]), flush=True)
        take_turns()
        ends = server.alive()
        errors = sum('"level": "error"' in line for line in server.log.open())
    alone.close()
    row: Row = {
        "seed": SEED,
        "images_per_request": args.each,
        "rounds": turns,
        **parts,
        "answers_not_bit_equal": {requests.model: asdict(requests.inexact) for requests in asked},
        "errors_in_log": errors,
        "exit_status": server.process.returncode,
        "cores": len(os.sched_getaffinity(0)),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        **provenance(),
    }
    wrong = [(name, found) for name, found in parts.items()]
    wrong += [(name, found) for name, both in turns.items() for found in both]
    problems = [f"{name}: {found['wrong']}" for name, found in wrong if found["wrong"]]
    problems += [f"{name}: memory grew" for name, found in parts.items() if float(str(found["growth_mb"])) > GROWTH_MB]
    problems += (
        [] if ends and server.process.returncode == 0 else [f"the server ended with {server.process.returncode}"]
    )
    return row, problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180, help="of each long part")
    parser.add_argument("--each", type=int, default=16, help="images of a request in the long parts")
    parser.add_argument("--rounds", type=int, default=6, help="before the long parts, and after them")
    parser.add_argument("--round-seconds", type=float, default=5)
    parser.add_argument("--every", type=float, default=5, help="seconds between looks at the server's memory")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        row, problems = measure(args, Path(folder))
    args.out.write_text(json.dumps(row, indent=1, sort_keys=True) + "\n")
    for name in ("good", "mixed"):
        found = row[name]
        assert isinstance(found, dict)
        print(f"{name}: {found['images_per_second']} images/s, {found['milliseconds']}, {found['growth_mb']} MB grown")
    turns = row["rounds"]
    assert isinstance(turns, dict)
    for name, both in turns.items():
        for each in (16, 1):
            speeds, costs = ([found[f"{kind}_{each}"] for found in both] for kind in ("ratio", "cpu_ratio"))
            print(f"{name}, {each} a request, of one process: images a second {speeds}, images a CPU second {costs}")
            if each == 16 and np.mean(costs) < LEAST:
                problems.append(f"{name}: less than {LEAST} of the images that one process scores in a CPU second")
    if problems:
        sys.exit("; ".join(problems))


if __name__ == "__main__":
    main()
