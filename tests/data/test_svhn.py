import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from amiss.contracts import InputError
from amiss.data.svhn import read_svhn

X = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
Y = np.array([[1], [10], [9], [2]], np.uint8)


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(name, array):
    """One array as MATLAB 5 writes it: flags, shape, name, values in Fortran order; then compressed."""
    flags = element(6, struct.pack("<II", 9, 0))  # class uint8
    shape = element(5, struct.pack(f"<{array.ndim}i", *array.shape))
    body = flags + shape + element(1, name.encode()) + element(2, array.tobytes(order="F"))
    packed = zlib.compress(element(14, body))
    return struct.pack("<II", 15, len(packed)) + packed


def mat(**arrays):
    header = b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(116) + bytes(8) + struct.pack("<H", 0x0100) + b"IM"
    return header + b"".join(matrix(name, array) for name, array in arrays.items())


def test_rows_columns_colours_and_digits_stand_where_the_format_says(tmp_path):
    path = tmp_path / "train_32x32.mat"
    path.write_bytes(mat(X=X, y=Y))
    pixels, labels = read_svhn((path,))
    assert (pixels.shape, pixels.dtype, labels.dtype) == ((4, 3, 32, 32), np.uint8, np.int64)
    assert labels.tolist() == [1, 0, 9, 2]
    for row, column, colour, image in ((0, 0, 0, 0), (31, 2, 1, 3), (5, 30, 2, 1)):
        assert pixels[image, colour, row, column] == X[row, column, colour, image]
    savemat(path, {"X": X, "y": Y.astype(np.float64), "other": {"a": 1}}, do_compression=True)
    assert np.array_equal(read_svhn((path,))[0], pixels)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cannot be read as a MATLAB file"),
        (b"not a MATLAB file, but long enough to hold a header" * 10, "cannot be read as a MATLAB file"),
        (mat(X=X, y=Y)[:-20], "cannot be read as a MATLAB file"),
        (mat(X=X, y=Y)[:5000], "cannot be read as a MATLAB file"),
        (mat(X=X), "holds no y; a file of SVHN holds X and y"),
        (mat(X=X[:31], y=Y), r"X of uint8 and shape \(31, 32, 3, 4\)"),
        (mat(X=X, y=Y[:3]), r"y of uint8 and shape \(3, 1\); numbers \(4, 1\)"),
        (mat(X=X, y=Y - 1), "holds the label 0; SVHN's labels are 1 to 10"),
        (mat(X=X, y=Y + 1), "holds the label 11"),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path, data, said):
    path = tmp_path / "test_32x32.mat"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said) as error:
        read_svhn((path,))
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.mat does not exist"):
        read_svhn((tmp_path / "absent.mat",))
