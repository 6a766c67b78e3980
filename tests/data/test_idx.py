import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from amiss.contracts import InputError
from amiss.data.idx import read_idx, read_idx_pair


def idx(array, kind=8):
    return bytes((0, 0, kind, array.ndim)) + b"".join(struct.pack(">I", n) for n in array.shape) + array.tobytes()


IMAGES = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    array=hnp.arrays(np.uint8, st.one_of(hnp.array_shapes(min_dims=n, max_dims=n) for n in (1, 3))),
    packed=st.booleans(),
)
def test_reads_what_was_written(tmp_path, array, packed):
    path = tmp_path / "some-file"
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    assert np.array_equal(read_idx(path, array.ndim), array)


def test_the_last_axis_runs_fastest(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(bytes((0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3)) + bytes((1, 2, 3, 4, 5, 6)))
    assert read_idx(path, 3).tolist() == [[[1, 2, 3], [4, 5, 6]]]


def test_a_pair_is_pixels_with_a_channel_and_labels(tmp_path):
    (tmp_path / "i").write_bytes(idx(IMAGES))
    (tmp_path / "l").write_bytes(gzip.compress(idx(np.array([7, 200], np.uint8))))
    pixels, labels = read_idx_pair((tmp_path / "i", tmp_path / "l"))
    assert (pixels.shape, pixels.dtype, labels.dtype) == ((2, 1, 3, 5), np.uint8, np.int64)
    assert np.array_equal(pixels[:, 0], IMAGES)
    assert labels.tolist() == [7, 200]


def cut_gzip(data):
    return gzip.compress(data)[:-9]


def flipped_gzip(data):
    packed = bytearray(gzip.compress(data))
    packed[-6] ^= 1  # in the CRC
    return bytes(packed)


HUGE = bytes((0, 0, 8, 3)) + struct.pack(">III", 2**32 - 1, 2**32 - 1, 2**32 - 1)
BAD = {
    "empty": (b"", "starts with the bytes (none)"),
    "text": (b"hello", "starts with the bytes 68656c6c"),
    "signed bytes": (idx(IMAGES, kind=9), "00000903"),
    "floats": (idx(IMAGES, kind=13), "00000d03"),
    "rank 1": (idx(IMAGES.ravel()), "00000801"),
    "rank 4": (idx(IMAGES[None]), "00000804"),
    "header cut": (idx(IMAGES)[:11], "within its header"),
    "one byte short": (idx(IMAGES)[:-1], "holds 29"),
    "one byte long": (idx(IMAGES) + b"\0", "holds more"),
    "no images": (idx(IMAGES[:0]), "(0, 3, 5)"),
    "no pixels": (idx(IMAGES[:, :, :0]), "(2, 3, 0)"),
    "huge": (HUGE, "cannot hold"),
    "huge, gzipped": (gzip.compress(HUGE), "cannot hold"),
    "gzip, short": (gzip.compress(idx(IMAGES)[:-1]), "holds 29"),
    "gzip, long": (gzip.compress(idx(IMAGES) + b"\0"), "holds more"),
    "gzip, cut": (cut_gzip(idx(IMAGES)), "cannot be read"),
    "gzip, wrong sum": (flipped_gzip(idx(IMAGES)), "cannot be read"),
    "gzip, damaged": (gzip.compress(idx(IMAGES))[:10] + b"\xff" * 30, "cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_anything_else_is_refused_by_name(tmp_path, name):
    data, said = BAD[name]
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(data)
    with pytest.raises(InputError) as error:
        read_idx(path, 3)
    assert str(path) in str(error.value)
    assert said in str(error.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path, said in ((tmp_path / "absent", "does not exist"), (tmp_path, "cannot be read")):
        with pytest.raises(InputError, match=said) as error:
            read_idx(Path(path), 1)
        assert str(path) in str(error.value)
