"""MVTec AD, industrial objects and textures with defects, fifteen sets under one name (Bergmann et al., CVPR 2019).

Training images are all good. Classes of both splits: good, then the defects of the category in the order of their
names.
"""

from __future__ import annotations

import numpy as np

from amiss.contracts import InputError
from amiss.data.catalogue.family import Family
from amiss.data.catalogue.tree_set import Branch, Listed, Lister, TreeSet
from amiss.data.tree import Tree

TITLE = "MVTec AD, industrial objects and textures with defects"
LICENCE = "CC BY-NC-SA 4.0 (MVTec Software GmbH)"
HOMEPAGE = "https://www.mvtec.com/company/research/datasets/mvtec-ad"
COUNTS = {  # training images, test images: Table 1 of Bergmann et al.
    "bottle": (209, 83),
    "cable": (224, 150),
    "capsule": (219, 132),
    "carpet": (280, 117),
    "grid": (264, 78),
    "hazelnut": (391, 110),
    "leather": (245, 124),
    "metal_nut": (220, 115),
    "pill": (267, 167),
    "screw": (320, 160),
    "tile": (230, 117),
    "toothbrush": (60, 42),
    "transistor": (213, 100),
    "wood": (247, 79),
    "zipper": (240, 151),
}


def list_defects(split: str) -> Lister:
    """Return a lister of SPLIT/CLASS/NNN.png, with good as the first class."""

    def lister(tree: Tree) -> Listed:
        names = tree.names(split)
        classes = ("good", *sorted({_class(tree, name) for name in tree.names("test")} - {"good"}))
        for name in names:
            if _class(tree, name) not in classes:
                raise InputError(f"{tree.where(name)} is not good; all training images of MVTec AD are")
        return Listed(names, np.array([classes.index(_class(tree, name)) for name in names], np.int64), classes)

    return lister


def _class(tree: Tree, name: str) -> str:
    parts = name.split("/")
    if len(parts) != 3:
        raise InputError(f"{tree.where(name)} does not stand in a folder of its class, as in test/good/000.png")
    return parts[1]


def _category(name: str, train: int, test: int) -> TreeSet:
    return TreeSet(
        name=f"mvtec-ad/{name}",
        title=f"{TITLE}: {name.replace('_', ' ')}",
        licence=LICENCE,
        homepage=HOMEPAGE,
        channels=3,
        branches={
            "train": Branch(train, f"mvtec-ad/{name}", list_defects("train"), within="train"),
            "test": Branch(test, f"mvtec-ad/{name}", list_defects("test"), within="test"),
        },
        manual=(
            f"ask for it at {HOMEPAGE} and unpack the archive in a folder mvtec-ad below the data folder, as "
            f"mvtec-ad/{name}/train/good/000.png and so on; some of the categories are enough."
        ),
    )


MVTEC_AD = Family(
    name="mvtec-ad",
    title=TITLE,
    licence=LICENCE,
    homepage=HOMEPAGE,
    parts=tuple(_category(name, *counts) for name, counts in COUNTS.items()),
)
