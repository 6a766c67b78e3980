"""CelebA, aligned and cropped faces (Liu et al., ICCV 2015).

All images are of one class. The tag `partition` is that of list_eval_partition.txt: 0 training, 1 validation, 2 test;
the validation images are read with split "all" only.
"""

from __future__ import annotations

import numpy as np

from amiss.contracts import InputError
from amiss.data.catalogue.tree_set import Branch, Listed, Lister, TreeSet
from amiss.data.tree import Tree

IMAGES = "img_align_celeba"
PARTITION = "list_eval_partition.txt"


def list_partition(number: int) -> Lister:
    """Return a lister of one partition: the images that the list puts there and that the folder has."""

    def lister(tree: Tree) -> Listed:
        there = {name.rpartition("/")[2] for name in tree.names(IMAGES)}
        names = []
        for line in tree.lines(PARTITION) or ():
            words = line.split()
            if len(words) != 2 or words[1] not in ("0", "1", "2"):
                raise InputError(f"{tree.where(PARTITION)} has the line {line!r}; a file and 0, 1 or 2 are expected")
            if words[1] == str(number) and words[0] in there:
                names.append(f"{IMAGES}/{words[0]}")
        labels = np.zeros(len(names), np.int64)
        return Listed(names, labels, ("face",), {"partition": np.full(len(names), number, np.int64)})

    return lister


CELEBA = TreeSet(
    name="celeba",
    title="CelebA, aligned faces of celebrities",
    licence="non-commercial research, not to be passed on (The Chinese University of Hong Kong)",
    homepage="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    channels=3,
    shape="218x178",
    branches={
        "train": Branch(162_770, "celeba", list_partition(0), within=PARTITION),
        "valid": Branch(19_867, "celeba", list_partition(1), within=PARTITION),
        "test": Branch(19_962, "celeba", list_partition(2), within=PARTITION),
    },
    manual=(
        f"take img_align_celeba.zip and {PARTITION} from the drives that "
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html links to, and put them below the data folder as "
        f"celeba/{IMAGES}/000001.jpg and so on, and celeba/{PARTITION}."
    ),
)
