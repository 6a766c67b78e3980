"""The command as a whole: verbs, exit codes, and that nothing but a sentence comes out of a wrong call."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from importlib.metadata import version

import pytest

from amiss import WorkError
from amiss.__main__ import VERBS, main
from amiss.cli import methods


def test_version_and_help(amiss):
    assert amiss("--version").out == f"amiss {version('amiss')}\n"
    told = amiss("--help")
    assert told.code == 0
    for verb, line in VERBS.items():
        assert any(row.split(maxsplit=1) == [verb, line] for row in told.out.splitlines())


def test_alone_it_prints_its_help_and_the_call_was_wrong(amiss):
    assert (amiss().code, amiss().err) == (2, amiss("--help").out)


def test_an_unknown_verb_names_the_nearest(amiss):
    called = amiss("evalute", "x")
    assert called.code == 2
    assert called.complaint == "unknown verb 'evalute': did you mean evaluate?"
    assert "choose from demo, fit" in amiss("zzz").complaint


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(amiss, verb):
    told = amiss(verb, "--help")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith(f"usage: amiss {verb}")


def test_help_has_no_colour_where_none_is_wanted(monkeypatch, amiss):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    told = amiss("methods", "--help")
    assert told.out.startswith("usage: amiss methods")
    assert "\x1b" not in told.out


def test_help_and_version_import_little():
    code = "import sys; from amiss.__main__ import main; main(['--help']); main(['--version']); "
    code += "print([m for m in ('tyro', 'sklearn', 'pandas', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_it_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "amiss", "fitt"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "did you mean fit" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell closes the stream")
@pytest.mark.parametrize(("closed", "left"), [(">&-", "stderr"), ("2>&-", "stdout")])
def test_a_closed_stream_is_no_crash(closed, left):
    call = f"{shlex.quote(sys.executable)} -m amiss data list mnist {closed}"
    done = subprocess.run(call, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert getattr(done, left) != ""


def test_a_reader_that_goes_away_is_no_crash():
    run = subprocess.Popen([sys.executable, "-m", "amiss", "methods"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    with run.stderr:
        assert run.stderr.read() == b""
    assert run.wait() == 1


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (WorkError("it broke,\nin two lines"), 1, "it broke, in two lines"),
        (RuntimeError("out of memory"), 1, "RuntimeError: out of memory"),
        (OSError(28, "No space left on device"), 1, "OSError: [Errno 28] No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_failures_are_a_sentence_and_a_code(monkeypatch, amiss, error, code, said):
    def fail(arguments):
        raise error

    monkeypatch.setattr(methods, "main", fail)
    called = amiss("methods")
    assert (called.code, called.complaint) == (code, said)


def test_debugging_shows_where(monkeypatch, capsys):
    monkeypatch.setenv("AMISS_DEBUG", "1")
    assert main(["methods", "zzz"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("amiss: unknown method 'zzz'")
