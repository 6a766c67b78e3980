import numpy as np
import pytest

from amiss.contracts import InputError
from amiss.data.npz import read_npz, read_npz_pair

IMAGES = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)


def test_a_pair_is_pixels_with_a_channel_and_labels(tmp_path):
    np.savez_compressed(tmp_path / "imgs.npz", IMAGES)
    np.savez_compressed(tmp_path / "labels.npz", np.array([7, 200], np.uint8))
    pixels, labels = read_npz_pair((tmp_path / "imgs.npz", tmp_path / "labels.npz"))
    assert (pixels.shape, pixels.dtype, labels.dtype) == ((2, 1, 3, 5), np.uint8, np.int64)
    assert np.array_equal(pixels[:, 0], IMAGES)
    assert labels.tolist() == [7, 200]


BAD = {
    "two arrays": ((IMAGES, IMAGES), "2 arrays"),
    "int64": ((IMAGES.astype(np.int64),), "int64"),
    "rank 1": ((IMAGES.ravel(),), "(30,)"),
    "no images": ((IMAGES[:0],), "(0, 3, 5)"),
    "objects": ((np.array([{"a": 1}], object),), "cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_anything_else_is_refused_by_name(tmp_path, name):
    arrays, said = BAD[name]
    path = tmp_path / "kmnist-test-imgs.npz"
    np.savez(path, *arrays)
    with pytest.raises(InputError) as error:
        read_npz(path, 3)
    assert str(path) in str(error.value)
    assert said in str(error.value)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped"])
def test_a_damaged_file_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "kmnist-test-imgs.npz"
    np.savez(path, IMAGES)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(IMAGES.tobytes())] ^= 1
    path.write_bytes({"empty": b"", "text": b"hello", "cut": whole[:200], "flipped": bytes(flipped)}[damage])
    with pytest.raises(InputError, match="cannot be read") as error:
        read_npz(path, 3)
    assert str(path) in str(error.value)


def test_a_single_npy_array_is_refused(tmp_path):
    np.save(tmp_path / "imgs.npy", IMAGES)
    with pytest.raises(InputError, match=r"imgs\.npy is a single npy array"):
        read_npz(tmp_path / "imgs.npy", 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.npz does not exist"):
        read_npz(tmp_path / "absent.npz", 1)
