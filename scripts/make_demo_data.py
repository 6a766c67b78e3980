"""Write the images that `amiss demo` runs on: a subset of Fashion-MNIST, taken from its official files.

    python scripts/make_demo_data.py --home DIR [--out DIR]

DIR is the data folder (`amiss data get fashion-mnist` fills it). Normal is class 0, T-shirt/top: 2,400 training images
from the official training split; 500 unseen ones and 500 anomalies, shared evenly by the other nine classes, from the
official test split. Images are drawn in a seeded random order. No image of the test set equals a training image.
"""

from __future__ import annotations

import argparse
import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from amiss.data.sets import check, load

OUT = Path(__file__).resolve().parents[1] / "src" / "amiss" / "data" / "demo"
NORMAL, TRAIN, TEST = 0, 2_400, 500
LIMIT = 2_000_000  # bytes, with the licence file


def write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    """Write unsigned bytes as gzipped idx; without a time and a name in it, its bytes depend on the values alone."""
    header = bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), compresslevel=9, mtime=0))


def shares(total: int, parts: int) -> list[int]:
    """Split `total` into `parts` numbers that differ by at most one."""
    return [total // parts + (i < total % parts) for i in range(parts)]


def draw(labels: NDArray[np.int64], label: int, count: int, order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first `count` indices of that label in the given order."""
    return order[labels[order] == label][:count]


def make(home: Path, out: Path) -> None:
    """Read the official files below `home`, verified, and write the four demo files to `out`."""
    wrong = [state for state in check("fashion-mnist", home) if state.state != "present"]
    if wrong:
        raise SystemExit("\n".join(f"{s.path}: {s.state}; expected {s.expected}, found {s.found}" for s in wrong))
    train, test = (load("fashion-mnist", split, home) for split in ("train", "test"))
    random = np.random.RandomState(0)  # its stream is frozen; that of a Generator may change with NumPy
    chosen = draw(train.labels, NORMAL, TRAIN, random.permutation(len(train.labels)))
    order = random.permutation(len(test.labels))
    seen = {image.tobytes() for image in train.images.take(chosen).numpy()}
    copies = np.array([image.tobytes() in seen for image in test.images.take(order).numpy()])
    order = order[~copies]
    picked = [draw(test.labels, NORMAL, TEST, order)]
    others = [label for label in range(len(test.classes)) if label != NORMAL]
    for label, count in zip(others, shares(TEST, len(others)), strict=True):
        picked.append(draw(test.labels, label, count, order))
    tested = np.concatenate(picked)
    tested = tested[random.permutation(len(tested))]
    out.mkdir(parents=True, exist_ok=True)
    for name, data, index in (("train", train, chosen), ("test", test, tested)):
        write_idx(out / f"{name}-images-idx3-ubyte.gz", data.images.take(index).numpy()[:, 0])
        write_idx(out / f"{name}-labels-idx1-ubyte.gz", data.labels[index].astype(np.uint8))


def main() -> None:
    """Write the demo data and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="data folder that holds fashion-mnist/")
    parser.add_argument("--out", type=Path, default=OUT, help="where to write (default: the package)")
    options = parser.parse_args()
    make(options.home, options.out)
    size = sum(path.stat().st_size for path in options.out.iterdir())
    print(f"{options.out}: {size} bytes")
    if size > LIMIT:
        raise SystemExit(f"{size} bytes are more than the {LIMIT} that the package may carry")


if __name__ == "__main__":
    main()
