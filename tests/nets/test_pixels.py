import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from amiss.contracts import ImageSpec
from amiss.nets import pixels
from amiss.nets.pixels import PixelMemory, row_length, rows, squared_distances

sides = st.integers(1, 40)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3), st.sampled_from([1, 3]), sides, sides, st.integers(1, 33))
def test_rows_have_the_stated_length_and_keep_the_mean_of_constant_images(batch, channels, height, width, side):
    x = torch.full((batch, channels, height, width), 0.25) * torch.arange(1, channels + 1)[:, None, None]
    found = rows(x, side)
    length = row_length(ImageSpec(channels, height, width), side)
    assert found.shape == (batch, length)
    expected = torch.arange(1, channels + 1).repeat_interleave(length // channels) * 0.25
    np.testing.assert_allclose(found, expected.expand(batch, -1), rtol=1e-6)


@pytest.mark.parametrize("side", [1, 28, 32])
def test_small_images_stay_as_they_are(side):
    x = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    assert torch.equal(rows(x, 32), x.flatten(1))


def test_long_sides_are_averaged_in_blocks():
    x = torch.rand(2, 3, 64, 28, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    blocks = x.reshape(2, 3, 32, 2, 28).mean(3)
    np.testing.assert_allclose(rows(x, 32), blocks.flatten(1), rtol=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 5), st.integers(0, 9), st.integers(1, 7), st.integers(0, 2**31))
def test_squared_distances(n, m, length, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, length, generator=generator)
    reference = torch.rand(m, length, generator=generator)
    slow = [[(a.double() - b.double()).square().sum().item() for b in reference] for a in x]
    found = squared_distances(x, reference)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found, np.reshape(slow, (n, m)), rtol=0, atol=1e-14)


def test_a_long_reference_is_taken_in_parts(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    x, reference = torch.rand(3, 4, generator=generator), torch.rand(11, 4, generator=generator)
    whole = squared_distances(x, reference)
    monkeypatch.setattr(pixels, "CHUNK", 4)
    np.testing.assert_allclose(squared_distances(x, reference), whole, rtol=0, atol=1e-14)
    assert whole.min() < 0.5 * whole.max()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 40))
def test_memory_keeps_the_first_rows_in_order(batches, limit):
    memory = PixelMemory(limit, 2)
    shown = torch.arange(2.0 * sum(batches)).reshape(-1, 2)
    for part in shown.split(batches) if batches else ():
        memory.add(part)
        assert len(memory.store) <= limit
    assert torch.equal(memory.take(), shown[:limit])
    assert memory.take().shape == (0, 2)
    memory.add(shown[-1:])
    assert torch.equal(memory.take(), shown[-1:])


def test_memory_copies_rows_a_bounded_number_of_times():
    memory = PixelMemory(10_000, 1)
    stores = set()
    for part in torch.zeros(10_000, 1).split(10):
        memory.add(part)
        stores.add(len(memory.store))
    assert 2 < len(stores) <= 11
