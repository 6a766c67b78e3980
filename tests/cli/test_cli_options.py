"""From words to options: what a wrong call is told, and that all of a method's knobs can be set."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import pytest
from tyro.conf import Positional, arg

from amiss import InputError, catalog
from amiss.adversaries.perturbation import L2, Linf
from amiss.cli.fit import FitOptions
from amiss.cli.options import parse, parse_with_method
from amiss.methods.council import Council
from amiss.methods.ensemble import Ensemble
from amiss.methods.gradcon import GradCon
from amiss.methods.gradcon_arae import GradConARAE
from amiss.methods.knn import KNN
from amiss.methods.pca import PCA
from amiss.methods.typical import Typical
from amiss.scores.council import Stouffer


@dataclass(frozen=True)
class Some:
    """Some options."""

    place: Annotated[Path, Positional, arg(metavar="PLACE")]
    """A place."""
    out: Annotated[Path, arg(aliases=["-o"], metavar="OUT")]
    """An output."""
    rate: float | None = 0.5
    """A rate."""
    count: int = 1
    """A count."""
    kind: Literal["a", "b"] = "a"
    """A kind."""
    loud: bool = False
    """Loud."""


def test_words_become_options():
    words = ["here", "--rate", "NONE", "-o", "there", "--count=-3", "--kind", "b", "--loud"]
    assert parse(Some, words, "some") == Some(Path("here"), Path("there"), None, -3, "b", True)
    assert parse(Some, ["here", "--out=x", "--rate=1e-3"], "some") == Some(Path("here"), Path("x"), 0.001)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "PLACE and -o/--out are missing"),
        ("here", "-o/--out is missing"),
        ("-o there", "PLACE is missing"),
        ("PLACE", "-o/--out is missing"),
        ("PLACE --count x -o y", "--count 'x' is not accepted: give a whole number"),
        ("here -o", "-o needs a value"),
        ("here -o x --count", "--count needs a value"),
        ("here -o -x", "-o needs a value, and -x reads as an option; a file of that name is given as ./-x"),
        ("here -o x --count 1.5", "--count '1.5' is not accepted: give a whole number"),
        ("here -o x --count=two", "--count 'two' is not accepted: give a whole number"),
        ("here -o x --rate low", "--rate 'low' is not accepted: give a number or none"),
        ("here -o x --kind c", "--kind 'c' is not accepted: give a or b"),
        ("here -o x --cuont 3", "unknown option --cuont: did you mean --count or --out?"),
        ("here --cuont 3", "unknown option --cuont: did you mean --count or --out?"),
        ("here -o x --wholly-other", "unknown option --wholly-other: see --help"),
        ("here -o x -z", "unknown option -z: see --help"),
        ("here there -o x", "'there' is one word too many; see amiss some --help"),
        ("here -o x --loud=yes", "--loud takes no value"),
    ],
)
def test_a_wrong_call_is_told_in_one_sentence(capsys, words, said):
    with pytest.raises(InputError) as caught:
        parse(Some, words.split(), "some")
    assert str(caught.value) == said
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", catalog.names())
def test_every_knob_of_every_method_stands_in_its_help(capsys, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stop:
        parse_with_method(FitOptions, ["--method", name, "--help"], "fit")
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    method = catalog.load(name)
    for knob in fields(method):
        value = getattr(method, knob.name)
        negation = "no-" if value is True else ""
        assert f"--method.{negation}{knob.name.replace('_', '-')}" in shown
    assert "--on-bad" in shown


@pytest.mark.parametrize("name", catalog.names())
def test_a_method_comes_with_its_own_settings(name):
    options, method = parse_with_method(FitOptions, ["x", f"--method={name}", "-o", "y"], "fit")
    assert (options.method, method) == (name, catalog.load(name))


def test_knobs_are_set_on_top_of_a_preset():
    words = ["x", "-o", "y", "--method", "cae", "--method.batch-size", "8", "--method.beta", "0.5"]
    assert parse_with_method(FitOptions, words, "fit")[1] == GradCon(alpha=0.0, batch_size=8, beta=0.5)
    words = ["x", "-o", "y", "--method", "knn", "--method.k=2"]
    assert parse_with_method(FitOptions, words, "fit")[1] == KNN(k=2)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--method ensemble --method.member.epochs 3", Ensemble(GradCon(epochs=3))),
        ("--method ensemble --method.member knn --method.member.k=2 --method.runs 4", Ensemble(KNN(k=2), runs=4)),
        ("--method=ensemble --method.member=typical --method.member.member pca", Ensemble(Typical(PCA()))),
        ("--method council --method.members.1.k 7", Council((GradCon(), KNN(k=7), PCA()))),
        ("--method council --method.members pca,knn --method.members.1.k 7", Council((PCA(), KNN(k=7)))),
        ("--method council --method.combination stouffer", Council(combination=Stouffer())),
        ("--method council --method.combination=minimum --method.combination fisher", Council()),
        ("--method gradcon_arae --method.adversary.eps 0.2", GradConARAE(adversary=Linf(0.2, steps=5))),
        ("--method gradcon_arae --method.adversary linf", GradConARAE(adversary=Linf(steps=5))),
        ("--method gradcon_arae --method.adversary l2 --method.adversary.eps 2", GradConARAE(adversary=L2(2.0))),
    ],
)
def test_methods_and_parts_within_a_method_are_named_and_set(words, expected):
    method = parse_with_method(FitOptions, ["x", "-o", "y", *words.split()], "fit")[1]
    assert method == expected
    assert type(method) is type(expected)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--method ensemble --method.member.alpa 3", "unknown option --method.member.alpa: did you mean"),
        ("--method ensemble --method.member.alpha -1", "GradCon was given alpha=-1.0: it must be at least 0"),
        ("--method ensemble --method.member gradcn", "unknown method 'gradcn': did you mean gradcon"),
        ("--method ensemble --method.member", "--method.member needs a value"),
        ("--method council --method.members.1.k x", "--method.members.1.k 'x' is not accepted: give a whole number"),
        ("--method council --method.members.3.k 1", "unknown option --method.members.3.k"),
        ("--method council --method.combination stoufer", "--method.combination 'stoufer' is unknown: give stouffer"),
        ("--method council --method.members knn,knm", "unknown method 'knm'"),
    ],
)
def test_wrong_parts_are_told_in_one_sentence(words, said):
    with pytest.raises(InputError) as caught:
        parse_with_method(FitOptions, ["x", "-o", "y", *words.split()], "fit")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--method gradcn", "unknown method 'gradcn': did you mean gradcon"),
        ("--method", "--method needs a value"),
        ("--method.alpa 3", "unknown option --method.alpa: did you mean --method.alpha"),
        ("--method knn --method.alpha 3", "unknown option --method.alpha"),
        ("--method.alpha -1", "GradCon was given alpha=-1.0: it must be at least 0"),
        ("--method knn --method.k 0", "knn was given k=0"),
        ("--method.beta x", "--method.beta 'x' is not accepted: give a number or none"),
    ],
)
def test_wrong_knobs_are_told_in_one_sentence(words, said):
    with pytest.raises(InputError) as caught:
        parse_with_method(FitOptions, ["x", "-o", "y", *words.split()], "fit")
    assert str(caught.value).startswith(said)
