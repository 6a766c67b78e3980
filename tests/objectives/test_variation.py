"""Total variation against a double loop."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from amiss.objectives.variation import total_variation


@settings(max_examples=15, deadline=None)
@given(n=st.integers(0, 3), channels=st.integers(1, 3), height=st.integers(1, 5), width=st.integers(1, 5))
def test_equals_a_double_loop(n: int, channels: int, height: int, width: int) -> None:
    x = torch.rand(n, channels, height, width, dtype=torch.float64)
    found = total_variation(x)
    assert found.shape == (n,)
    for image, value in zip(x, found, strict=True):
        total = 0.0
        for rows, columns in ((1, 0), (0, 1)):
            steps = [
                (image[c, i + rows, j + columns] - image[c, i, j]).abs().item()
                for c in range(channels)
                for i in range(height - rows)
                for j in range(width - columns)
            ]
            total += sum(steps) / len(steps) if steps else 0.0
        torch.testing.assert_close(value.item(), total, rtol=1e-12, atol=1e-15)


def test_flat_images_have_none_and_stripes_have_one() -> None:
    flat = torch.full((1, 1, 6, 6), 0.3)
    stripes = torch.zeros(1, 1, 6, 6)
    stripes[:, :, ::2] = 1
    assert total_variation(torch.cat([flat, stripes])).tolist() == [0.0, 1.0]
