"""COIL-20 and COIL-100, objects on a turntable, 72 views of each (Nene, Nayar and Murase, 1996).

The tag `view` is the number in the file's name: 0 to 71 in COIL-20, degrees in COIL-100. COIL-100's SHA-256 is the one
that TensorFlow Datasets records; COIL-20's MD5 is the one of DeepMind's NEVIS'22. Neither archive was at hand.
"""

from __future__ import annotations

import re

import numpy as np

from amiss.contracts import InputError
from amiss.data.catalogue.tree_set import Branch, Listed, Lister, TreeSet
from amiss.data.download import DataFile
from amiss.data.tree import Tree

URL = "http://www.cs.columbia.edu/CAVE/databases/SLAM_coil-20_coil-100/"
LICENCE = "non-commercial research (Columbia University)"
NAME = re.compile(r"obj(\d+)__(\d+)\.png")


def list_objects(objects: int) -> Lister:
    """Return a lister of objN__V.png, view V of object N, in the order of both numbers."""
    classes = tuple(f"obj{i}" for i in range(1, objects + 1))

    def lister(tree: Tree) -> Listed:
        found = []
        for name in tree.names():
            match = NAME.fullmatch(name)
            if match is None or not 1 <= int(match[1]) <= objects:
                raise InputError(f"{tree.where(name)} is not named objN__V.png, N from 1 to {objects}")
            found.append((int(match[1]), int(match[2]), name))
        found.sort()
        labels = np.array([number - 1 for number, _, _ in found], np.int64)
        tags = {"view": np.array([view for _, view, _ in found], np.int64)}
        return Listed([name for _, _, name in found], labels, classes, tags)

    return lister


COIL_20 = TreeSet(
    name="coil-20",
    title="COIL-20, 20 objects from 72 sides",
    licence=LICENCE,
    homepage="https://www.cs.columbia.edu/CAVE/software/softlib/coil-20.php",
    channels=1,
    shape="128x128",
    branches={
        "all": Branch(
            1_440,
            "coil-20-proc",
            list_objects(20),
            archive=DataFile(
                "coil-20-proc.zip", "md5:464dec76a6abfcd00e8de6cf1e7d0acc", None, f"{URL}coil-20/coil-20-proc.zip"
            ),
            other="coil-20",
        )
    },
)

COIL_100 = TreeSet(
    name="coil-100",
    title="COIL-100, 100 objects from 72 sides, in colour",
    licence=LICENCE,
    homepage="https://www.cs.columbia.edu/CAVE/software/softlib/coil-100.php",
    channels=3,
    shape="128x128",
    branches={
        "all": Branch(
            7_200,
            "coil-100",
            list_objects(100),
            archive=DataFile(
                "coil-100.zip",
                "sha256:fcb4b8b01c0778f416d8d7a09f45082c4f7075cc74743dcddd5c44307bd4afe7",
                130_688_843,
                f"{URL}coil-100/coil-100.zip",
            ),
        )
    },
)
