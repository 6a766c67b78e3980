"""Tiny ImageNet, 200 classes of ImageNet at 64x64 (Le and Yang, Stanford CS 231N, 2015).

Test is the authors' validation split: their test images have no labels. A class is called by its WordNet number. The
SHA-256 of the archive is one that several projects on GitHub record, beside the MD5 of avalanche; the archive was not
at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from amiss.contracts import InputError
from amiss.data.catalogue.tree_set import Branch, Listed, TreeSet
from amiss.data.download import DataFile
from amiss.data.tree import Tree

FOLDER = "tiny-imagenet-200"
ANNOTATIONS = "val/val_annotations.txt"


def list_train(tree: Tree) -> Listed:
    """List train/WNID/images/WNID_N.JPEG."""
    names = tree.names("train")
    return _listed(tree, names, [PurePosixPath(name).parts[1] for name in names])


def list_val(tree: Tree) -> Listed:
    """List val/images/val_N.JPEG, whose classes stand in val_annotations.txt as NAME, WNID and four numbers."""
    wnids = _annotations(tree)
    names = tree.names("val/images")
    for name in names:
        if PurePosixPath(name).name not in wnids:
            raise InputError(f"{tree.where(name)} has no line in {ANNOTATIONS}")
    return _listed(tree, names, [wnids[PurePosixPath(name).name] for name in names])


def _annotations(tree: Tree) -> dict[str, str]:
    wnids = {}
    for line in tree.lines(ANNOTATIONS) or ():
        words = line.split("\t")
        if len(words) != 6:
            raise InputError(
                f"{tree.where(ANNOTATIONS)} has the line {line!r}; name, class and four numbers are expected"
            )
        wnids[words[0]] = words[1]
    return wnids


def _listed(tree: Tree, names: Sequence[str], wnids: Sequence[str]) -> Listed:
    """Number the classes in the order of their names, the same for both splits."""
    known = tree.lines("wnids.txt")
    if known is None:  # a part of the set, without the list of classes: all that the files name
        known = [*_annotations(tree).values(), *(PurePosixPath(name).parts[1] for name in tree.names("train"))]
    classes = tuple(sorted({wnid.strip() for wnid in known}))
    place = {wnid: i for i, wnid in enumerate(classes)}
    for name, wnid in zip(names, wnids, strict=True):
        if wnid not in place:
            raise InputError(f"{tree.where(name)} is of class {wnid!r}, which wnids.txt does not list")
    return Listed(names, np.array([place[wnid] for wnid in wnids], np.int64), classes)


ARCHIVE = DataFile(
    f"{FOLDER}.zip",
    "sha256:6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
    248_100_043,
    "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
)

TINY_IMAGENET = TreeSet(
    name="tiny-imagenet",
    title="Tiny ImageNet, photographs of 200 classes",
    licence="non-commercial research (ImageNet)",
    homepage="http://cs231n.stanford.edu",
    channels=3,
    shape="64x64",
    branches={
        "train": Branch(100_000, FOLDER, list_train, within="train", archive=ARCHIVE),
        "test": Branch(10_000, FOLDER, list_val, within=ANNOTATIONS, archive=ARCHIVE),
    },
)
