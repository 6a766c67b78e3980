"""What "quick" and "published" mean for each method, in its own hyperparameters: the one place where budgets are set.

Quick is minutes on two cores for a class of MNIST. Published is what the paper or its authors' code says; where neither
says anything, the settings are those of the nearest experiment of the same paper, and the line below says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from amiss import catalog
from amiss.adversaries.perturbation import Linf
from amiss.contracts import Method
from amiss.methods.ama import AMA
from amiss.methods.arae import ARAE
from amiss.methods.gradcon import GradCon
from amiss.methods.history_ad import HistoryAD
from amiss.nets.strided_autoencoder import Strided

EPS_MNIST, EPS = 0.2, 0.05
"""Radii of ARAE's attack in training: on MNIST, and on everything else."""

MEDICAL, COIL = ("brain-mri", "head-ct"), ("coil-20", "coil-100")
"""Sets of fewer than a thousand training images, which batches of 64 would make epochs of a step or two of."""

PICTURES = ("cifar-10", *MEDICAL)
"""Sets on which ARAE's autoencoder is convolutional."""


@dataclass(frozen=True)
class Budgets:
    """A method at both budgets."""

    quick: Method
    published: Method


def gradcon(dataset: str = "", *, alpha: float = 0.03, variational: bool = False) -> Budgets:
    """GradCon and its relatives: 30 epochs against 1000.

    Quick on CIFAR-10 are 10 epochs; on medical images 40 and on COIL
    100, both in batches of 16.
    """
    at = GradCon(alpha=alpha, variational=variational)
    quick = replace(at, epochs=30)
    if dataset == "cifar-10":
        quick = replace(at, epochs=10)
    if dataset in (*MEDICAL, *COIL):
        quick = replace(at, batch_size=16, epochs=40 if dataset in MEDICAL else 100)
    return Budgets(quick, replace(at, epochs=1000, centred=False))


def grad_alone(dataset: str = "") -> Budgets:
    """GradCon whose score is its gradient loss: the weight is so large that nothing else counts."""
    both = gradcon(dataset)
    return Budgets(*(replace(method, beta=1e6) for method in (both.quick, both.published)))  # type: ignore[type-var]


def cae(dataset: str = "") -> Budgets:
    """GradCon's autoencoder without its gradient loss."""
    return gradcon(dataset, alpha=0.0)


def vae(dataset: str = "") -> Budgets:
    """GradCon's variational autoencoder without its gradient loss."""
    return gradcon(dataset, alpha=0.0, variational=True)


def arae(dataset: str, variant: str = "arae") -> Budgets:
    """ARAE, ARAE-R, ARAE-A, the DAE and the plain AE of the same network, with the attack's radius of the data set.

    Quick are the presets. On pictures the net is convolutional and makes half of the steps of ascent: on CIFAR-10 five
    clean epochs and ten more in batches of 64, on medical images the preset with half of the channels. Published are
    1600 epochs on MNIST, 8000 on Fashion-MNIST and 1000 on COIL, of which the authors' code tells; for pictures nothing
    is published, and the numbers of COIL are taken.
    """
    preset, long = _arae(variant), _arae(LONG.get(dataset, "arae_published_coil"))
    if variant == "arae_a":
        return Budgets(preset, catalog.load("arae_a_released"))
    quick, adversary = preset, preset.adversary
    if isinstance(adversary, Linf):
        quick = replace(quick, adversary=replace(adversary, eps=EPS_MNIST if dataset == "mnist" else EPS))
        long = replace(long, target=preset.target)
    else:
        long = replace(long, gamma=0.0, adversary=adversary, target=preset.target, per_batch=True)
    if dataset in PICTURES:
        quick, long = _convolutional(quick, dataset), replace(long, net=_arae("arae_conv").net)
    return Budgets(quick, long)


LONG = {"mnist": "arae_published", "fashion-mnist": "arae_published_fashion"}


def _arae(name: str) -> ARAE:
    found = catalog.load(name)
    assert isinstance(found, ARAE)
    return found


def _convolutional(method: ARAE, dataset: str) -> ARAE:
    conv = _arae("arae_conv")
    made = replace(method, net=conv.net, lr=conv.lr, batch_size=conv.batch_size)
    if isinstance(made.adversary, Linf):
        made = replace(made, adversary=replace(made.adversary, steps=5))
    if dataset == "cifar-10":
        return replace(made, batch_size=64, clean_epochs=5, epochs=10, least_steps=0)
    return replace(
        made, net=Strided(width=0.5), clean_epochs=conv.clean_epochs, epochs=conv.epochs, least_steps=conv.least_steps
    )


def ama(change: Callable[[AMA], AMA] = lambda method: method) -> Budgets:
    """AMA with every part of the paper: small and short against the published size. change: an ablation of both."""
    quick, long = catalog.load("ama_composed"), catalog.load("ama_published")
    assert isinstance(quick, AMA)
    assert isinstance(long, AMA)
    return Budgets(change(quick), change(long))


def small_ama() -> Budgets:
    """The catalogue's `ama`, without negatives and with score R, at both budgets."""
    return classical("ama")


def history_ad(change: Callable[[HistoryAD], HistoryAD] = lambda method: method) -> Budgets:
    """HistoryAD: the defaults against five epochs at five million parameters. change: a variant of both."""
    quick, long = catalog.load("history_ad"), catalog.load("history_ad_published")
    assert isinstance(quick, HistoryAD)
    assert isinstance(long, HistoryAD)
    return Budgets(change(quick), change(long))


def classical(name: str) -> Budgets:
    """A method that is the same at both budgets."""
    return Budgets(catalog.load(name), catalog.load(name))
