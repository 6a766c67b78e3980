"""The folder rules: which images of a folder are normal, which are anomalous, and which are for testing."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amiss.data.packed import PackedText, sorted_runs
from amiss.plain import InputError

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm", ".pnm"}
)
NORMAL_NAMES = frozenset({"good", "normal", "ok"})
MASKS = "ground_truth"  # of MVTec and its kin: pictures of where a defect is, not images to learn or to score


@dataclass(frozen=True)
class Part:
    """Images below one folder that play one role; `path` is relative to the root, and empty for the root itself."""

    path: str
    deep: bool = True
    anomalous: bool = False
    test: bool = False


@dataclass
class Others:
    """How many files were passed over because they are not images, and one of them."""

    count: int = 0
    example: str = ""


def walk(
    root: str, path: str, deep: bool, others: Others, above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[str]:
    """Yield the images in `path`, relative to `root`: its files sorted, then its folders sorted.

    Hidden entries are ignored. Links to files and folders are followed, but not back into a folder that holds the link.

    Raises:
        InputError: If a folder cannot be listed.
    """
    files, folders, identity = _entries(root, path, others)
    if identity in above:
        return
    for name in heapq.merge(*files):
        yield _join(path, name)
    for name in folders if deep else ():
        yield from walk(root, _join(path, name), deep, others, above | {identity})


def _entries(root: str, path: str, others: Others) -> tuple[list[PackedText], list[str], tuple[int, int]]:
    """List the image files in `path` as sorted runs, its folders sorted, and tell its identity."""
    here = Path(root, path)
    folders: list[str] = []

    def images() -> Iterator[str]:
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif _is_image(entry.name) and (entry.is_file() or entry.is_symlink()):
                    yield entry.name  # a link that leads nowhere is kept, so that decoding can name it
                else:
                    others.count += 1
                    others.example = others.example or str(here / entry.name)

    try:
        status = here.stat()
        files = sorted_runs(images())
    except OSError as error:
        raise InputError(f"the folder '{here}' cannot be listed: {error.strerror}") from error
    return files, sorted(folders), (status.st_dev, status.st_ino)


def _is_image(name: str) -> bool:
    """Tell whether a file name ends like one of the image formats that are read."""
    return name[name.rfind(".") :].lower() in IMAGE_SUFFIXES


def parts(root: str, *, recursive: bool, roles: bool) -> list[Part]:
    """Apply the folder rules to `root`; without `roles` every image is taken, whatever folder it stands in.

    Raises:
        InputError: If there are no images, or if it is unclear which of them are normal.
    """
    files, folders = _holding(root, "")
    if not files and not folders:
        raise InputError(f"the folder '{root}' holds no images; read are {' '.join(sorted(IMAGE_SUFFIXES))}")
    everything = [Part("", deep=False)] * files + [Part(name) for name in folders]
    if not roles:
        return everything if recursive else _top_only(root, files)
    if {"train", "test"} <= set(folders) and any(_is_normal(name) for name in _holding(root, "train")[1]):
        return _by_name(root, "train") + _by_name(root, "test", test=True)
    if any(_is_normal(name) for name in folders):
        return _by_name(root, "")
    if folders and not recursive:
        raise InputError(
            f"'{root}' has subfolders with images ({_some(folders)}) and none is named good, normal or ok, so it is "
            "unclear which images are normal: name one so, give one of them alone, or take all as normal with "
            "recursive=True (--recursive)"
        )
    return everything


def _top_only(root: str, files: bool) -> list[Part]:
    if not files:
        raise InputError(f"the folder '{root}' itself holds no images; those in its subfolders need recursive=True")
    return [Part("", deep=False)]


def _by_name(root: str, path: str, test: bool = False) -> list[Part]:
    """Tell normal from anomalous by the names of the folders in `path`."""
    files, folders = _holding(root, path)
    here = Path(root, path)
    normal = [name for name in folders if _is_normal(name)]
    if files:
        raise InputError(
            f"'{here}' has images beside its subfolders ({_some(folders)}), so it is unclear what they are: "
            "move them into one, or give one subfolder alone"
        )
    if len(normal) > 1:
        raise InputError(f"'{here}' has {len(normal)} folders of normal images ({_some(normal)}); accepted is one")
    return [Part(_join(path, name), anomalous=name not in normal, test=test) for name in normal] + [
        Part(_join(path, name), anomalous=True, test=test) for name in folders if name not in normal
    ]


def _holding(root: str, path: str) -> tuple[bool, list[str]]:
    """Tell whether `path` itself has images, and which of its folders have some at any depth; masks are left out."""
    files, folders, _ = _entries(root, path, Others())
    holding = [name for name in folders if any(True for _ in walk(root, _join(path, name), True, Others()))]
    if holding != [MASKS] or files:
        holding = [name for name in holding if name != MASKS]
    return bool(files), holding


def _join(path: str, name: str) -> str:
    return f"{path}{os.sep}{name}" if path else name


def _is_normal(name: str) -> bool:
    return name.lower() in NORMAL_NAMES


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
