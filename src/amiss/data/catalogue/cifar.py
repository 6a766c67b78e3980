"""CIFAR-10 and CIFAR-100: small colour photographs in ten or in a hundred classes.

CIFAR-10's SHA-256 of the batch files were taken of official files, proved by the SHA-1 that is published, and that of
its archive is the one that TensorFlow Datasets records. Of CIFAR-100, no file was at hand: the SHA-256 of its archive
is the one of TensorFlow Datasets, beside the authors' MD5, and those of its two files are the ones that
torchvision-ruby records.
"""

from __future__ import annotations

from amiss.contracts import ImageSpec
from amiss.data.catalogue.file_set import FileSet, Form, Part, Reader
from amiss.data.cifar import read_cifar, read_cifar_100
from amiss.data.download import DataFile

LICENCE = "none stated; research use (Krizhevsky, 2009)"
HOMEPAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"


def _batches(folder: str, reader: Reader, size: int, *files: tuple[str, str]) -> Form:
    """Files of `size` bytes that come in one archive: (name, checksum) each."""
    return Form(tuple(DataFile(f"{folder}/{name}", checksum, size) for name, checksum in files), reader)


CIFAR_10 = FileSet(
    name="cifar-10",
    title="CIFAR-10, small colour photographs",
    licence=LICENCE,
    homepage=HOMEPAGE,
    classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    spec=ImageSpec(3, 32, 32),
    train=Part(
        50_000,
        (
            _batches(
                "cifar-10-batches-bin",
                read_cifar,
                30_730_000,
                ("data_batch_1.bin", "sha256:cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
                ("data_batch_2.bin", "sha256:a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
                ("data_batch_3.bin", "sha256:bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
                ("data_batch_4.bin", "sha256:014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
                ("data_batch_5.bin", "sha256:755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
            ),
        ),
    ),
    test=Part(
        10_000,
        (
            _batches(
                "cifar-10-batches-bin",
                read_cifar,
                30_730_000,
                ("test_batch.bin", "sha256:8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
            ),
        ),
    ),
    archive=DataFile(
        "cifar-10-binary.tar.gz",
        "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        170_052_171,
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    ),
)

FINE = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel "
    "can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur "
    "dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion "
    "lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree "
    "pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea "
    "seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table "
    "tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman "
    "worm "
)
COARSE = (
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices "
    "household_furniture insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes "
    "large_omnivores_and_herbivores medium_mammals non-insect_invertebrates people reptiles small_mammals "
    "trees vehicles_1 vehicles_2 "
)
SUPERCLASSES = tuple(COARSE.split())
"""The twenty superclasses of CIFAR-100, which the tag `coarse` indexes."""

CIFAR_100 = FileSet(
    name="cifar-100",
    title="CIFAR-100, small colour photographs in 100 classes of 20 superclasses",
    licence=LICENCE,
    homepage=HOMEPAGE,
    classes=tuple(FINE.split()),
    spec=ImageSpec(3, 32, 32),
    train=Part(
        50_000,
        (
            _batches(
                "cifar-100-binary",
                read_cifar_100,
                153_700_000,
                ("train.bin", "sha256:f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"),
            ),
        ),
    ),
    test=Part(
        10_000,
        (
            _batches(
                "cifar-100-binary",
                read_cifar_100,
                30_740_000,
                ("test.bin", "sha256:d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"),
            ),
        ),
    ),
    archive=DataFile(
        "cifar-100-binary.tar.gz",
        "sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        168_513_733,
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
    ),
)
