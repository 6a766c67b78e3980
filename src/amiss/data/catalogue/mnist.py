"""MNIST and the two sets that took its place and its format: Fashion-MNIST and KMNIST.

The SHA-256 of the files of MNIST and Fashion-MNIST and of KMNIST's npz test files were taken of official files, proved
by the MD5 that is published. Those of KMNIST's idx form are the ones that TensorFlow Datasets records. For KMNIST's npz
training files only one MD5 is known, that of S. Wenkel's CMNIST script (2019), whose MD5 of the test files is right:
they are checked by it, but `get` takes the idx form.
"""

from __future__ import annotations

from typing import Literal

from amiss.contracts import ImageSpec
from amiss.data.catalogue.file_set import FileSet, Form, Part
from amiss.data.download import DataFile
from amiss.data.idx import read_idx_pair
from amiss.data.npz import read_npz_pair


def _idx(url: str, stem: str, images: tuple[int, str], labels: tuple[int, str]) -> Form:
    """Two idx files, as (length, SHA-256) each; `stem` is their folder and how their names begin."""
    kinds = (("images-idx3-ubyte.gz", images), ("labels-idx1-ubyte.gz", labels))
    start = stem.partition("/")[2]
    return Form(
        tuple(DataFile(f"{stem}-{kind}", f"sha256:{sha}", size, f"{url}{start}-{kind}") for kind, (size, sha) in kinds),
        read_idx_pair,
    )


def _npz(split: Literal["train", "test"], images: tuple[int | None, str], labels: tuple[int | None, str]) -> Form:
    """KMNIST's npz files, as (length, checksum) each."""
    named = ((f"kmnist-{split}-imgs.npz", images), (f"kmnist-{split}-labels.npz", labels))
    return Form(
        tuple(DataFile(f"kmnist/{name}", checksum, size, KMNIST_URL + name) for name, (size, checksum) in named),
        read_npz_pair,
    )


MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
KMNIST_URL = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"

MNIST = FileSet(
    name="mnist",
    title="MNIST, handwritten digits",
    licence="CC BY-SA 3.0 (as usually given)",
    homepage="http://yann.lecun.com/exdb/mnist/",
    classes=tuple("0123456789"),
    spec=ImageSpec(1, 28, 28),
    train=Part(
        60_000,
        (
            _idx(
                MNIST_URL,
                "mnist/train",
                (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
                (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            ),
        ),
    ),
    test=Part(
        10_000,
        (
            _idx(
                MNIST_URL,
                "mnist/t10k",
                (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
                (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            ),
        ),
    ),
)

FASHION_MNIST = FileSet(
    name="fashion-mnist",
    title="Fashion-MNIST, pictures of clothes",
    licence="MIT (Zalando SE)",
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    spec=ImageSpec(1, 28, 28),
    train=Part(
        60_000,
        (
            _idx(
                FASHION_URL,
                "fashion-mnist/train",
                (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
                (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            ),
        ),
    ),
    test=Part(
        10_000,
        (
            _idx(
                FASHION_URL,
                "fashion-mnist/t10k",
                (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
                (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
            ),
        ),
    ),
)

KMNIST = FileSet(
    name="kmnist",
    title="Kuzushiji-MNIST, cursive Japanese characters",
    licence="CC BY-SA 4.0",
    homepage="https://github.com/rois-codh/kmnist",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    spec=ImageSpec(1, 28, 28),
    train=Part(
        60_000,
        (
            _idx(
                KMNIST_URL,
                "kmnist/train",
                (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
                (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            ),
            _npz(
                "train", (None, "md5:a183fbc01ed9a345513b145673d3d0bb"), (None, "md5:b0e1d240e8afec72b50437fc3bc5908a")
            ),
        ),
    ),
    test=Part(
        10_000,
        (
            _idx(
                KMNIST_URL,
                "kmnist/t10k",
                (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
                (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
            ),
            _npz(
                "test",
                (3_079_479, "sha256:692d824896bec8f3c357ebf7a0fe904ed67ac632ce953d0b58f7fbef7bb27d87"),
                (5_304, "sha256:660f13a4705431ea2a6391c41ecbe384cd0d932c595a101ec4f3b8989e785046"),
            ),
        ),
    ),
)
