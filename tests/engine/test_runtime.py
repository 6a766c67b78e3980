"""Devices, seeds, orders."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from amiss.contracts import InputError
from amiss.engine.runtime import Runtime, derive, order, place, seeded


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "cpu0"])
def test_an_unknown_device_is_named_with_what_is_accepted(name):
    with pytest.raises(InputError, match=rf"unknown device '{name}': use auto, cpu, cuda, cuda:N or mps"):
        Runtime(name).resolve()


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps", "xpu", "meta"])
def test_an_absent_device_is_named(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError, match=rf"device '{name}' is not available here: use auto or cpu"):
        Runtime(name).resolve()


def test_a_number_beyond_the_last_device_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Runtime("cuda:1").resolve() == torch.device("cuda:1")
    with pytest.raises(InputError, match=r"device 'cuda:2' is not available here: there are 2"):
        Runtime("cuda:2").resolve()


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_fastest_device_there_is(monkeypatch, cuda, mps, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert Runtime().resolve() == torch.device(chosen)


def test_precision_decides_the_type_of_products():
    a = torch.ones(2, 2)
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with Runtime("cpu", precision).autocast():
            assert (a @ a).dtype == dtype


@given(st.lists(st.tuples(st.integers(0, 2**31), st.integers(0, 99), st.integers(0, 99)), unique=True, min_size=2))
def test_derived_seeds_differ_and_fit_torch(keys):
    seeds = [derive(seed, "order", phase, epoch) for seed, phase, epoch in keys]
    assert len(set(seeds)) == len(keys)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seeds == [derive(seed, "order", phase, epoch) for seed, phase, epoch in keys]


def test_derived_seeds_differ_by_purpose_and_not_only_by_digits():
    assert len({derive(0, "init"), derive(0, "draws"), derive(1, "init"), derive(0, 1, 11), derive(0, 11, 1)}) == 5


@given(st.integers(0, 200), st.integers(0, 2**31), st.integers(0, 9), st.integers(0, 9))
def test_an_order_is_a_permutation_that_repeats(n, seed, phase, epoch):
    visit = order(n, seed, phase, epoch)
    assert sorted(visit.tolist()) == list(range(n))
    np.random.default_rng(0).random()
    assert np.array_equal(visit, order(n, seed, phase, epoch))


def test_orders_differ_by_seed_phase_and_epoch():
    orders = {tuple(order(50, *key)) for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)]}
    assert len(orders) == 5


def test_seeded_draws_repeat_and_the_callers_state_returns():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    with seeded(3):
        first = torch.rand(4)
    with pytest.raises(ZeroDivisionError), seeded(3):
        _ = torch.rand(4), 1 // 0
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(4):
        assert not torch.equal(torch.rand(4), first)


def test_placing_orders_kernels_in_memory_and_keeps_their_values_and_identity():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 2))
    weight = net[0].weight
    values = weight.detach().clone()
    adam = torch.optim.Adam(net.parameters())
    place(net, torch.device("cpu"))
    assert net[0].weight is weight
    assert adam.param_groups[0]["params"][0] is weight
    assert torch.equal(weight, values)
    assert weight.is_contiguous(memory_format=torch.channels_last)
