"""CURE-TSR, traffic signs without and under twelve conditions in five levels (Temel et al., 2017).

The images of real scenes are read; those of the simulator are not. The class is the type of sign. Tags: `condition`
indexes CONDITIONS, `level` is 1 (least) to 5, 0 without a condition, and `index` tells signs of one type from each
other.
"""

from __future__ import annotations

import re

import numpy as np

from amiss.contracts import InputError
from amiss.data.catalogue.tree_set import Branch, Listed, Lister, TreeSet
from amiss.data.tree import Tree

SIGNS = (
    *("speed_limit", "goods_vehicles", "no_overtaking", "no_stopping", "no_parking", "stop", "bicycle"),
    *("hump", "no_left", "no_right", "priority_to", "no_entry", "yield", "parking"),
)
CONDITIONS = (
    *("none", "decolorization", "lens blur", "codec error", "darkening", "dirty lens", "exposure"),
    *("gaussian blur", "noise", "rain", "shadow", "snow", "haze"),
)
NAME = re.compile(r"01_(\d\d)_(\d\d)_(\d\d)_(\d+)\.bmp")
CONDITIONED = 1 + 12 * 5
"""Images of one sign."""


def list_signs(folder: str) -> Lister:
    """Return a lister of FOLDER/CONDITION/sequenceType_signType_challengeType_challengeLevel_Index.bmp."""

    def lister(tree: Tree) -> Listed:
        names = tree.names(folder)
        facts = np.array([_facts(tree, name) for name in names], np.int64).reshape(-1, 4)
        tags = {tag: facts[:, column] for column, tag in enumerate(("condition", "level", "index"), 1)}
        return Listed(names, facts[:, 0], SIGNS, tags)

    return lister


def _facts(tree: Tree, name: str) -> tuple[int, int, int, int]:
    """Read sign (from 0), condition, level and index off a file's name."""
    match = NAME.fullmatch(name.rpartition("/")[2])
    sign, condition, level, index = map(int, match.groups()) if match else (0, 0, 0, 0)
    levels = (0,) if condition == 0 else range(1, 6)
    if not 1 <= sign <= len(SIGNS) or condition >= len(CONDITIONS) or level not in levels:
        raise InputError(
            f"{tree.where(name)} is not named as CURE-TSR's real images are: 01, sign 01 to 14, condition 00 to 12, "
            "level 00 to 05 and a number, such as 01_06_09_03_0012.bmp"
        )
    return sign - 1, condition, level, index


CURE_TSR = TreeSet(
    name="cure-tsr",
    title="CURE-TSR, traffic signs under 12 conditions, real scenes",
    licence="by agreement with the authors (OLIVES, Georgia Institute of Technology)",
    homepage="https://github.com/olivesgatech/CURE-TSR",
    channels=3,
    branches={
        "train": Branch(7_292 * CONDITIONED, "cure-tsr", list_signs("Real_Train"), within="Real_Train"),
        "test": Branch(3_334 * CONDITIONED, "cure-tsr", list_signs("Real_Test"), within="Real_Test"),
    },
    manual=(
        "ask for it with the form that https://github.com/olivesgatech/CURE-TSR links to, and put the folders below "
        "the data folder as cure-tsr/Real_Train/ChallengeFree/01_06_00_00_0001.bmp and so on, and cure-tsr/Real_Test; "
        "some of the conditions are enough."
    ),
)
