"""`torchrun -m amiss fit`, as a newcomer calls it."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from amiss.__main__ import main
from amiss.artifact.file import load

QUICK = ["--method", "cae", "--method.epochs", "2", "--method.batch-size", "16", "--device", "cpu"]


def torchrun(*arguments):
    """Start two processes with torchrun."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.Popen(
        [*run, "-m", "amiss", *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def photos(folder):
    """Sixty smooth random images of 28 x 28."""
    folder.mkdir()
    for i, coarse in enumerate(np.random.default_rng(0).integers(0, 256, (60, 4, 4), np.uint8)):
        Image.fromarray(coarse).resize((28, 28), Image.Resampling.BILINEAR).save(folder / f"{i:03}.png")
    return folder


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """A fit, and one that meets a file that is no image: codes and what was said; they run at once."""
    folder = tmp_path_factory.mktemp("processes")
    good = photos(folder / "good")
    bad = shutil.copytree(good, folder / "bad")
    (bad / "003.png").write_text("no image")
    started = [torchrun("fit", source, "-o", folder / f"{source.name}.safetensors", *QUICK) for source in (good, bad)]
    said = [process.communicate(timeout=600) for process in started]
    return folder, [(process.returncode, *lines) for process, lines in zip(started, said, strict=True)]


def test_two_processes_write_the_model_of_one_and_speak_once(calls, capsys):
    folder, ((code, out, err), _) = calls
    assert code == 0, err
    one = folder / "one.safetensors"
    assert main(["fit", str(folder / "good"), "-o", str(one), *QUICK]) == 0
    expected, found = load(one), load(folder / "good.safetensors")
    np.testing.assert_allclose(found.calibration_scores, expected.calibration_scores, rtol=1e-4)
    assert (found.record["machine"]["processes"], expected.record["machine"].get("processes")) == (2, None)
    alone = capsys.readouterr().out.replace("one.safetensors", "good.safetensors").splitlines()
    together = out.replace(" by 2 processes", "").splitlines()
    assert together[0] == alone[0]  # images; the lines after it hold rounded figures and seconds
    assert len(together) == len(alone)
    assert " by 2 processes, " in out
    assert err.count("60 images, normal") == 1


def test_what_is_wrong_is_said_once_and_nothing_is_left(calls):
    folder, (_, (code, out, err)) = calls
    assert code == 1  # torchrun's own
    said = [line for line in err.splitlines() if line.startswith("amiss: ")]
    assert len(said) == 1
    assert "003.png' is not an image that can be read" in said[0]
    assert not out
    assert sorted(path.name for path in folder.iterdir() if not path.is_dir()) in (
        ["good.safetensors"],
        ["good.safetensors", "one.safetensors"],
    )
    assert not list(folder.glob("*.fit"))


@pytest.mark.parametrize(
    ("rank", "said"), [("0", "amiss: methods works in one process: call it without torchrun\n"), ("1", "")]
)
def test_other_verbs_work_in_one_process(monkeypatch, capsys, rank, said):
    for name, value in {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": rank}.items():
        monkeypatch.setenv(name, value)
    assert main(["methods"]) == 2
    assert capsys.readouterr() == ("", said)
