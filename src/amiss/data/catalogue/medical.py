"""Head CT and Brain MRI, two small sets of normal and anomalous scans from Kaggle, without official splits."""

from __future__ import annotations

import re

import numpy as np

from amiss.contracts import InputError
from amiss.data.catalogue.tree_set import Branch, Listed, Lister, TreeSet
from amiss.data.tree import Tree

TABLE = "labels.csv"
ROW = re.compile(r"\s*(\d+)\s*,\s*([01])\s*")


def list_folders(*classes: str) -> Lister:
    """Return a lister of one folder for each class, named as the class is."""

    def lister(tree: Tree) -> Listed:
        held = [tree.names(name) for name in classes]
        labels = np.repeat(np.arange(len(classes)), [len(names) for names in held])
        return Listed([name for names in held for name in names], labels.astype(np.int64), classes)

    return lister


def list_head_ct(tree: Tree) -> Listed:
    """List Kaggle's head_ct/head_ct/NNN.png, with classes in labels.csv, or a folder for each class."""
    classes = ("normal", "hemorrhage")
    rows = tree.lines(TABLE)
    if rows is None:
        return list_folders(*classes)(tree)
    table = {}
    for row in rows[1:]:
        match = ROW.fullmatch(row)
        if match is None:
            raise InputError(f"{tree.where(TABLE)} has the row {row!r}; a number and 0 or 1 are expected")
        table[int(match[1])] = int(match[2])
    names = tree.names("head_ct")
    labels = []
    for name in names:
        number = name.rpartition("/")[2].partition(".")[0]
        if not number.isdecimal() or int(number) not in table:
            raise InputError(f"{tree.where(name)} has no row in {TABLE}")
        labels.append(table[int(number)])
    return Listed(names, np.array(labels, np.int64), classes)


HEAD_CT = TreeSet(
    name="head-ct",
    title="Head CT, slices without and with a haemorrhage",
    licence="not stated (Kitamura, Kaggle, 2018)",
    homepage="https://www.kaggle.com/datasets/felipekitamura/head-ct-hemorrhage",
    channels=1,
    branches={"all": Branch(200, "head-ct", list_head_ct)},
    manual=(
        "take it from https://www.kaggle.com/datasets/felipekitamura/head-ct-hemorrhage (an account is needed) and put "
        "it below the data folder as it is, head-ct/labels.csv and head-ct/head_ct/head_ct/000.png and so on, or "
        "sorted into head-ct/normal and head-ct/hemorrhage."
    ),
)

BRAIN_MRI = TreeSet(
    name="brain-mri",
    title="Brain MRI, slices without and with a tumour",
    licence="unclear (Chakrabarty, Kaggle, 2019)",
    homepage="https://www.kaggle.com/datasets/navoneel/brain-mri-images-for-brain-tumor-detection",
    channels=1,
    branches={"all": Branch(253, "brain-mri", list_folders("no", "yes"))},
    manual=(
        "take it from https://www.kaggle.com/datasets/navoneel/brain-mri-images-for-brain-tumor-detection (an account "
        "is needed) and put its folders below the data folder as brain-mri/no and brain-mri/yes."
    ),
)
