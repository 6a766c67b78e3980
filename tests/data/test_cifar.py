import numpy as np
import pytest

from amiss.contracts import InputError
from amiss.data.cifar import read_cifar, read_cifar_100


def record(label, seed):
    return bytes([label]) + np.random.default_rng(seed).integers(0, 256, 3072, dtype=np.uint8).tobytes()


def test_planes_rows_and_columns_stand_where_the_format_says(tmp_path):
    (tmp_path / "a.bin").write_bytes(record(3, 0) + record(9, 1))
    (tmp_path / "b.bin").write_bytes(record(0, 2))
    pixels, labels = read_cifar((tmp_path / "a.bin", tmp_path / "b.bin"))
    assert (pixels.shape, pixels.dtype, labels.dtype) == ((3, 3, 32, 32), np.uint8, np.int64)
    assert labels.tolist() == [3, 9, 0]
    for n, data in enumerate((record(3, 0), record(9, 1), record(0, 2))):
        for channel, row, column in ((0, 0, 0), (0, 0, 31), (1, 5, 7), (2, 31, 31)):
            assert pixels[n, channel, row, column] == data[1 + channel * 1024 + row * 32 + column]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "holds 0 bytes"),
        (record(1, 0)[:-1], "holds 3072 bytes"),
        (record(1, 0) + b"\0", "holds 3074 bytes"),
        (record(1, 0) + record(10, 1), "label 10"),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path, data, said):
    good, bad = tmp_path / "data_batch_1.bin", tmp_path / "data_batch_2.bin"
    good.write_bytes(record(1, 0))
    bad.write_bytes(data)
    with pytest.raises(InputError) as error:
        read_cifar((good, bad))
    assert str(bad) in str(error.value)
    assert said in str(error.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path, said in ((tmp_path / "absent.bin", "does not exist"), (tmp_path, "cannot be read")):
        with pytest.raises(InputError, match=said) as error:
            read_cifar((path,))
        assert str(path) in str(error.value)


def record_100(coarse, fine, seed):
    return bytes([coarse]) + record(fine, seed)


def test_cifar_100_has_a_coarse_and_a_fine_label(tmp_path):
    (tmp_path / "train.bin").write_bytes(record_100(19, 99, 0) + record_100(4, 0, 1))
    pixels, labels, tags = read_cifar_100((tmp_path / "train.bin",))
    assert labels.tolist() == [99, 0]
    assert tags["coarse"].tolist() == [19, 4]
    assert pixels.shape == (2, 3, 32, 32)
    assert pixels[0].tobytes() == record(99, 0)[1:]
    for data, said in [
        (record_100(20, 0, 0), "label 20; CIFAR-100's labels are 0 to 19"),
        (record_100(0, 100, 0), "label 100; CIFAR-100's labels are 0 to 99"),
        (record(0, 0), "holds 3073 bytes; CIFAR-100's records of 3074 bytes"),
    ]:
        (tmp_path / "test.bin").write_bytes(data)
        with pytest.raises(InputError, match=said):
            read_cifar_100((tmp_path / "test.bin",))
