"""SVHN, cropped digits of house numbers.

No file was at hand: the SHA-256 of both are the ones that torchvision's prototype data sets record, beside its MD5.
"""

from __future__ import annotations

from amiss.contracts import ImageSpec
from amiss.data.catalogue.file_set import FileSet, Form, Part
from amiss.data.download import DataFile
from amiss.data.svhn import read_svhn

URL = "http://ufldl.stanford.edu/housenumbers/"


def _mat(name: str, size: int, sha: str) -> tuple[Form, ...]:
    return (Form((DataFile(f"svhn/{name}", f"sha256:{sha}", size, URL + name),), read_svhn),)


SVHN = FileSet(
    name="svhn",
    title="SVHN, digits of house numbers, cropped",
    licence="non-commercial use only (Netzer et al., 2011)",
    homepage=URL,
    classes=tuple("0123456789"),
    spec=ImageSpec(3, 32, 32),
    train=Part(
        73_257,
        _mat("train_32x32.mat", 182_040_794, "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
    ),
    test=Part(
        26_032,
        _mat("test_32x32.mat", 64_275_384, "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
    ),
)
