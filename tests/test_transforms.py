"""Depths to the unit range."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from amiss.transforms.unit import to_unit


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_every_value_of_a_depth_is_its_share_of_white(dtype: type[np.generic], top: int) -> None:
    values = np.arange(top + 1, dtype=dtype).reshape(1, 1, 1, -1)
    unit = to_unit(torch.from_numpy(values))
    assert unit.dtype == torch.float32
    np.testing.assert_allclose(unit.numpy().ravel(), np.arange(top + 1) / top, rtol=1e-7, atol=0)
    assert (unit[..., 0].item(), unit[..., -1].item()) == (0.0, 1.0)


def test_floats_are_left_as_they_are() -> None:
    x = torch.rand(2, 3, 4, 4)
    assert to_unit(x) is x
    assert to_unit(x.double()).dtype == torch.float32
