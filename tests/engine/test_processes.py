"""Several processes train what one trains: the same losses, the same weights, resumed to the same bits."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import divided
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from amiss import catalog
from amiss.contracts import InputError
from amiss.engine.processes import agree, check, leader_first, together, told
from amiss.methods.ama import AMA
from amiss.methods.council import Council
from amiss.methods.gradcon import GradCon
from amiss.sharing import Group, add_up, averaged, dividing, drawn, group, grouped, share_of
from tiny import tiny

TESTS = Path(__file__).parents[1]


def start(*arguments, count=2):
    """Start processes as torchrun does, without its agent."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join([str(TESTS), str(TESTS / "engine"), os.environ.get("PYTHONPATH", "")])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1"}
    script = [sys.executable, str(TESTS / "engine" / "divided.py"), *map(str, arguments)]
    return [
        subprocess.Popen(
            script,
            env={**os.environ, **common, "PYTHONPATH": path, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def ended(processes):
    """Exit codes and what was said on standard error."""
    said = [process.communicate(timeout=600)[1] for process in processes]
    return [process.returncode for process in processes], said


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A fit by two processes of which one is killed in the second epoch: its folder, the codes, and what was said."""
    folder = tmp_path_factory.mktemp("processes")
    return folder, *ended(start(folder, "killed"))


@pytest.fixture(scope="module")
def left(killed, tmp_path_factory):
    """A copy of what the killed fit left."""
    return shutil.copytree(killed[0], tmp_path_factory.mktemp("left") / "copy")


@pytest.fixture(scope="module")
def found(killed, left):
    """What two processes find, each; they go on with the killed fit."""
    folder = killed[0]
    codes, said = ended(start(folder))
    assert codes == [0, 0], said
    return [dict(np.load(folder / f"{rank}.npz")) for rank in (0, 1)]


@pytest.fixture(scope="module")
def single():
    """The same in one process."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield divided.fits() | divided.in_float64() | divided.misaligned()
    torch.set_num_threads(before)


def test_the_misalignment_of_a_divided_batch_is_that_of_its_whole_gradient(found, single):
    for key in ("value", "slope"):
        for mine in found:
            np.testing.assert_allclose(mine[key], single[key], rtol=1e-11, atol=1e-15)
    assert np.abs(single["slope"]).max() > 1e-6


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads have no names here")
def test_the_groups_threads_end_with_the_group(found, killed):
    for rank in (0, 1):  # one that outlives the interpreter may abort the process
        threads = (killed[0] / f"{rank}.threads").read_text().splitlines()
        assert threads
        assert not [name for name in threads if "gloo" in name]


@pytest.mark.parametrize("name", [*divided.EXACT, "centred"])
def test_steps_on_shares_are_steps_on_the_batch(found, single, name):
    expected = single[f"steps/{name}"]
    for mine in found:
        np.testing.assert_allclose(mine[f"steps/{name}"], expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", divided.FITS)
def test_a_fit_has_the_losses_and_the_scores_of_one_process(found, single, name):
    for key, rtol in (("losses", 1e-5), ("scores", 1e-3)):
        expected = single[f"fit/{name}/{key}"]
        np.testing.assert_allclose(
            found[0][f"fit/{name}/{key}"], expected, rtol=rtol, atol=rtol * np.abs(expected).max()
        )
    assert len(np.unique(single[f"fit/{name}/scores"])) > 8


@pytest.mark.parametrize("name", divided.FITS)
def test_every_process_ends_with_the_same_bits(found, name):
    first, other = (mine[f"fit/{name}/weights"] for mine in found)
    assert np.array_equal(first, other)


@pytest.mark.parametrize("name", ["ama", "history_ad", "council"])
def test_a_method_that_normalises_over_a_batch_is_refused_by_its_layer(name):
    method = Council((GradCon(), AMA())) if name == "council" else catalog.load(name)
    learner = tiny(method).learner(divided.SPEC)
    check(learner, torch.device("cpu"))
    said = r"cannot be trained by 3 processes: its layer \S+ \(BatchNorm2d\) mixes all images of a batch"
    with grouped(Group(1, 3)), pytest.raises(InputError, match=said):
        check(learner, torch.device("cpu"))


def test_a_killed_fit_goes_on_to_the_same_bits(found):
    for mine in found:
        assert str(mine["kept"]) == "[{'event': 'resume', 'phase': 0, 'epochs_kept': 2}]"
        for key in ("losses", "weights", "scores"):
            assert np.array_equal(mine[f"resumed/{key}"], mine[f"undisturbed/{key}"]), key


def test_one_process_goes_on_where_two_were_and_the_log_says_so(found, left):
    result, log = divided.resumable(left)
    assert [record for record in log if record["event"] == "resume"] == [
        {"event": "resume", "phase": 0, "epochs_kept": 2, "processes": 1, "processes_before": 2}
    ]
    np.testing.assert_allclose(result["losses"], found[0]["undisturbed/losses"], rtol=1e-4)


def test_where_one_process_dies_the_others_end_too_and_say_so(killed):
    _, codes, said = killed
    assert codes == [1, -signal.SIGKILL]
    assert "WorkError: the other processes cannot be reached: one has ended, or the network failed" in said[0]


def test_the_first_process_alone_writes(found, killed):
    left = {path.name for path in killed[0].iterdir()}
    assert left == {"work", "photos", "model", "0.npz", "1.npz", "0.threads", "1.threads"}
    assert np.array_equal(found[0]["photos"], found[1]["photos"])
    assert {path.name for path in (killed[0] / "work").iterdir()} == {"checkpoint.pt", "log.jsonl"}


def test_processes_tell_each_other_what_the_first_one_knows(found):
    for mine in found:
        first, nothing, said = mine["told"]
        assert (first, nothing) == ("the first one", "None")
        assert said.startswith("the processes have different ranks: start all of them with the same call")
        assert mine["alone"] == 1


@given(st.integers(1, 200), st.integers(1, 20))
def test_shares_are_the_batch_in_order_and_as_even_as_can_be(total, count):
    shares = [share_of(total, Group(rank, count)) for rank in range(count)]
    own = [share for share in shares if share.count]
    assert [row for share in own for row in range(total)[share.rows]] == list(range(total))
    sizes = [share.count for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert sum(share.weight for share in shares) == pytest.approx(1)
    assert all(len(range(total)[share.rows]) == max(1, share.count) for share in shares)


@pytest.mark.parametrize("kept", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("draw", [torch.Tensor.normal_, torch.Tensor.uniform_])
def test_draws_are_those_of_the_whole_batch(kept, draw):
    x = torch.zeros(7, 3, 4, 5).contiguous(memory_format=kept)

    def seeded(like):
        torch.manual_seed(3)
        return drawn(like, draw)

    whole, parts = seeded(x), []
    assert whole.stride() == x.stride()
    for rank in range(3):
        with grouped(Group(rank, 3)), dividing(7, divisible=True) as mine:
            parts.append(seeded(x[mine.rows]))
            with pytest.raises(ValueError, match="draws for 7 rows are asked for"):
                drawn(x, draw)
    assert torch.equal(torch.cat(parts), whole)


def test_one_process_does_as_if_there_were_no_others():
    x = torch.rand(5)
    with together(), leader_first(), dividing(5, divisible=True) as mine:
        assert (mine.rows, mine.count, mine.weight) == (slice(0, 5), 5, 1.0)
        assert averaged(x)[0] is x
        add_up([x])
        agree("nothing", lambda: b"")
        check(torch.nn.BatchNorm2d(3), torch.device("cuda:0"))
        assert told(b"all") == b"all"
    assert group().count == 1


def test_whole_batches_are_not_divided():
    with grouped(Group(1, 2)), dividing(5, divisible=False) as mine:
        assert (mine.rows, mine.count) == (slice(0, 5), 5)
        assert torch.equal(averaged(torch.ones(2))[0], torch.ones(2))


@pytest.mark.parametrize("device", ["mps", "cuda:1", "cpu:0"])
def test_devices_that_processes_cannot_share_are_refused(device):
    with grouped(Group(0, 2)), pytest.raises(InputError, match=f"2 processes cannot train on the device {device}"):
        check(torch.nn.Linear(1, 1), torch.device(device))
