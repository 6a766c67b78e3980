"""What tests of several processes run in each of them, and in one process to compare with.

    python divided.py FOLDER [KILLED]

Each process writes what it found to FOLDER/RANK.npz. With KILLED, the last one kills itself in the middle of a fit.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from amiss import Detector, catalog
from amiss.contracts import ImageSpec, WorkError
from amiss.engine.fitting import fit
from amiss.engine.processes import agree, alone, leader_first, together, told
from amiss.engine.progress import silent
from amiss.engine.runtime import Runtime
from amiss.methods.gradcon import GradCon
from amiss.objectives.gradients import Direction
from amiss.sharing import add_up, dividing, group
from amiss.testing.samples import synthetic
from amiss.transforms.unit import to_unit
from tiny import tiny

SPEC = ImageSpec(1, 28, 28)
SAMPLES = synthetic(SPEC, 49, 17, 8)  # in batches of 16, the last one has one image: fewer than there are processes
FITS = ("gradcon", "cae", "vae", "arae", "arae_a", "dae", "council")
"""Methods that are fitted: every kind of step, of memory and of draw, and methods made of methods."""
EXACT = ("gradcon", "gradcon_vae", "vae", "gradcon_arae", "arae", "arae_batch", "arae_a", "dae")
"""Methods whose steps are followed in float64."""


def named(name):
    method = tiny(catalog.load(name))
    return method, SAMPLES.known if method.semi_supervised else None


def fitted(method, known=None, **rest):
    """Losses, criteria and scores of a short fit."""
    rest = {"max_epochs": 2, "check": False, **rest}
    made = fit(method, SPEC, SAMPLES.train, SAMPLES.held_out, known=known, runtime=Runtime("cpu"), **rest)
    epochs = [record for record in made.log if record["event"] == "epoch"]
    figures = [[*record["losses"].values(), record.get("criterion", 0.0)] for record in epochs]
    state = torch.cat([value.double().flatten() for value in made.scorer.state_dict().values()])
    scores = made.scorer(to_unit(SAMPLES.test.take(np.arange(16)))).detach()
    return {"losses": np.concatenate(figures), "weights": state.numpy(), "scores": scores.numpy()}, made.log


def fits():
    """What the fits of methods end with."""
    found = {}
    for name in FITS:
        result, _ = fitted(*named(name))
        found |= {f"fit/{name}/{key}": value for key, value in result.items()}
    return found


def steps(method):
    """Weights (V,) in float64 after three steps of every phase, the last of them on one image."""
    torch.manual_seed(0)
    learner = method.learner(SPEC).double()
    images = to_unit(SAMPLES.train.take(np.arange(33))).double()
    for phase in learner.phases():
        learner.train()
        torch.manual_seed(1)
        for x in images.split(16):
            with dividing(len(x), divisible=phase.divisible) as mine:
                phase.step(x[mine.rows])
    return torch.cat([value.double().flatten() for value in learner.state_dict().values()]).numpy()


def in_float64():
    methods = {name: named(name)[0] for name in EXACT} | {"centred": replace(GradCon(), centred=True)}
    return {f"steps/{name}": steps(method) for name, method in methods.items()}


def misaligned():
    """L_grad of a batch whose processes' gradients point elsewhere, and its gradient by the weights."""
    torch.manual_seed(0)
    decoder = named("gradcon")[0].learner(SPEC).double().ae.decoder
    direction = Direction(decoder).double()
    direction.iterations += 1
    for mean in direction.mean:
        mean.data.normal_()
    codes = torch.rand(7, 64, 3, 3, dtype=torch.float64)
    x = torch.rand(7, 1, 28, 28, dtype=torch.float64)
    with dividing(7, divisible=True) as mine:
        loss = (decoder(codes[mine.rows]) - x[mine.rows]).square().mean()
        value = direction.misalignment(loss, create_graph=True)
        slopes = torch.autograd.grad(value * mine.weight, direction.weights)
    add_up(slopes)
    return {"value": value.detach().numpy(), "slope": torch.cat([s.flatten() for s in slopes]).numpy()}


class Killed:
    """Progress that kills the last process after some steps."""

    def __init__(self, after):
        self.after = after

    def __call__(self, what, done, total, detail):
        self.after -= 1
        if not self.after and group().rank == group().count - 1:
            os.kill(os.getpid(), signal.SIGKILL)


def resumable(folder, progress=silent):
    """A fit that only the first process can write down."""
    folder = folder / ("work" if group().rank == 0 else "nowhere")
    if group().rank == 0:
        folder.mkdir(exist_ok=True)
    return fitted(GradCon(epochs=3, batch_size=16), workdir=folder, progress=progress, max_epochs=None, check=True)


def photographed(folder):
    """Scores of a detector of files, which only the first process finds decoded."""
    photos, own = folder / "photos", folder / ("model" if group().rank == 0 else "nowhere")
    with leader_first():
        if group().rank == 0:
            photos.mkdir()
            for i, pixels in enumerate(SAMPLES.train.take(np.arange(20)).numpy()):
                Image.fromarray(pixels[0]).save(photos / f"{i}.png")
    detector = Detector("knn", fpr=None).fit(photos, workdir=own)
    return {"photos": detector.decision_function(photos)}


def conversation():
    """What processes tell each other."""
    first = told(b"the first one" if group().rank == 0 else b"another")
    nothing = told(None if group().rank == 0 else b"another")
    agree("words", lambda: first)
    try:
        agree("ranks", lambda: bytes([group().rank]))
        said = "nothing"
    except WorkError as error:
        said = str(error)
    with leader_first():
        pass
    with alone():
        members = group().count
    return {"told": np.array([first.decode(), str(nothing), said]), "alone": np.array(members)}


def main():
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    with together():
        if sys.argv[2:]:
            resumable(folder, Killed(10))
        undisturbed, _ = fitted(GradCon(epochs=3, batch_size=16), max_epochs=None, check=True)
        resumed, log = resumable(folder)
        kept = [record for record in log if record["event"] == "resume"]
        found = {f"undisturbed/{name}": value for name, value in undisturbed.items()}
        found |= {f"resumed/{name}": value for name, value in resumed.items()}
        found |= {"kept": np.array(str(kept)), "count": np.array(group().count)}
        found |= fits() | in_float64() | misaligned() | conversation() | photographed(folder)
        np.savez(folder / f"{group().rank}.npz", **found)
    threads = [(thread / "comm").read_text().strip() for thread in Path("/proc/self/task").glob("*")]  # Linux alone
    (folder / f"{os.environ['RANK']}.threads").write_text("\n".join(threads))


if __name__ == "__main__":
    main()
