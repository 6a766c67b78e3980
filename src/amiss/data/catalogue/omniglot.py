"""Omniglot, handwritten characters of fifty alphabets (Lake et al., Science 2015).

The class is the alphabet; the tags `character` and `drawer` count from 1, as the names of folders and files do.
Training is the authors' background set of 30 alphabets, test their evaluation set of 20 others. The SHA-256 of both
archives are the ones that TensorFlow Datasets records, beside torchvision's MD5; the archives themselves were not at
hand.
"""

from __future__ import annotations

import re

import numpy as np

from amiss.contracts import InputError
from amiss.data.catalogue.tree_set import Branch, Listed, TreeSet
from amiss.data.download import DataFile
from amiss.data.tree import Tree

URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/"
BACKGROUND = (
    "Alphabet_of_the_Magi Anglo-Saxon_Futhorc Arcadian Armenian Asomtavruli_(Georgian) Balinese Bengali "
    "Blackfoot_(Canadian_Aboriginal_Syllabics) Braille Burmese_(Myanmar) Cyrillic Early_Aramaic Futurama "
    "Grantha Greek Gujarati Hebrew Inuktitut_(Canadian_Aboriginal_Syllabics) Japanese_(hiragana) "
    "Japanese_(katakana) Korean Latin Malay_(Jawi_-_Arabic) Mkhedruli_(Georgian) N_Ko "
    "Ojibwe_(Canadian_Aboriginal_Syllabics) Sanskrit Syriac_(Estrangelo) Tagalog Tifinagh"
)
EVALUATION = (
    "Angelic Atemayar_Qelisayer Atlantean Aurek-Besh Avesta Ge_ez Glagolitic Gurmukhi Kannada Keble Malayalam "
    "Manipuri Mongolian Old_Church_Slavonic_(Cyrillic) Oriya Sylheti Syriac_(Serto) Tengwar Tibetan ULOG"
)
ALPHABETS = (*BACKGROUND.split(), *EVALUATION.split())
NAME = re.compile(r"([^/]+)/character(\d+)/\d+_(\d+)\.png")


def list_alphabets(tree: Tree) -> Listed:
    """List ALPHABET/characterNN/NNNN_DD.png: the drawing of one character by drawer DD."""
    names = tree.names()
    found = [NAME.fullmatch(name) for name in names]
    labels, characters, drawers = [], [], []
    for name, match in zip(names, found, strict=True):
        if match is None or match[1] not in ALPHABETS:
            raise InputError(
                f"{tree.where(name)} is not named ALPHABET/characterNN/NNNN_DD.png, as Omniglot's files are"
            )
        labels.append(ALPHABETS.index(match[1]))
        characters.append(int(match[2]))
        drawers.append(int(match[3]))
    tags = {"character": np.array(characters, np.int64), "drawer": np.array(drawers, np.int64)}
    return Listed(names, np.array(labels, np.int64), ALPHABETS, tags)


def _archive(name: str, size: int, sha: str) -> Branch:
    archive = DataFile(f"omniglot/{name}.zip", f"sha256:{sha}", size, f"{URL}{name}.zip")
    count = 19_280 if name == "images_background" else 13_180
    return Branch(count, f"omniglot/{name}", list_alphabets, archive=archive)


OMNIGLOT = TreeSet(
    name="omniglot",
    title="Omniglot, handwritten characters of 50 alphabets",
    licence="MIT (Lake)",
    homepage="https://github.com/brendenlake/omniglot",
    channels=1,
    shape="105x105",
    branches={
        "train": _archive(
            "images_background", 9_464_212, "ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640"
        ),
        "test": _archive(
            "images_evaluation", 6_462_886, "1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee"
        ),
    },
)
