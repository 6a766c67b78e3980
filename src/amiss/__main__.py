"""`amiss VERB ...` and `python -m amiss`: finds the verb, and turns every failure into a sentence and an exit code."""

from __future__ import annotations

import difflib
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module

VERBS = {
    "demo": "the main job on bundled real images, in about a minute",
    "fit": "learn from normal images and write a model",
    "fit-each": "one model for every subfolder of a folder",
    "score": "score images with a model: a table with p-values and labels",
    "refit": "train anew on what a review leaves: bad images out, confirmed normal ones in",
    "calibrate": "replace a model's calibration images by others, without training",
    "export": "write a model as one ONNX file, and check such a file anywhere",
    "serve": "answer over HTTP: images in, scores out, and a page to look at them",
    "evaluate": "measure a model on labelled images",
    "card": "write what a model is for, how it was made, what was measured, and its limits",
    "bench": "run the papers' tables, ours beside the printed numbers",
    "data": "list, get or check the official data sets",
    "methods": "list the methods, or tell all about one",
    "doctor": "check this installation; paste the output into a bug report",
}
"""Verbs with one line each; `amiss.cli.VERB`, with _ for -, has the function."""

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130


def usage() -> str:
    """Return the text of `amiss --help`."""
    width = max(map(len, VERBS))
    return "\n".join(
        [
            "usage: amiss VERB ...",
            "",
            "Learns from normal images alone, then says how anomalous a new one is,",
            "with a false-alarm rate that is guaranteed.",
            "",
            *(f"  {name:{width}}  {line}" for name, line in VERBS.items()),
            "",
            "amiss VERB --help tells its options; amiss --version the version.",
            "Exit codes: 0 done, 1 the work failed, 2 the call was wrong, 130 interrupted.",
            "AMISS_DEBUG=1 shows where an error came from.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0 done, 1 the work failed, 2 the call was wrong, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # the caller closed it
            setattr(sys, stream, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name need not be valid text in the terminal's encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    if not given:
        sys.stderr.write(usage() + "\n")
        return WRONG
    verb, rest = given[0], given[1:]
    if verb in ("-h", "--help"):
        sys.stdout.write(usage() + "\n")
        return DONE
    if verb in ("-V", "--version"):
        from importlib.metadata import version

        sys.stdout.write(f"amiss {version('amiss')}\n")
        return DONE
    if verb not in VERBS:
        close = difflib.get_close_matches(verb, VERBS, n=3, cutoff=0.6)
        meant = f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(VERBS)}"
        return _complain(f"unknown verb {verb!r}: {meant}", WRONG)
    if verb != "fit" and "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1":
        said = os.environ.get("RANK") != "0"
        return WRONG if said else _complain(f"{verb} works in one process: call it without torchrun", WRONG)
    return _guarded(verb, rest)


def _guarded(verb: str, arguments: list[str]) -> int:
    from amiss.plain import InputError, ToldError

    try:
        run: Callable[[list[str]], int] = import_module(f"amiss.cli.{verb.replace('-', '_')}").main
        code = run(arguments)
        sys.stdout.flush()
        return code
    except InputError as error:
        return _complain(str(error), WRONG)
    except ToldError:
        return FAILED
    except KeyboardInterrupt as stop:
        return _complain(str(stop) or "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does; the interpreter must not fail again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (RuntimeError, OSError, MemoryError, UnicodeError) as error:
        from amiss.plain import WorkError

        named = str(error) if isinstance(error, WorkError) else f"{type(error).__name__}: {error}"
        return _complain(named, FAILED)


def _complain(sentence: str, code: int) -> int:
    """Say on one line of standard error what was wrong; the traceback comes before it if it is asked for."""
    if os.environ.get("AMISS_DEBUG") == "1" and sys.exc_info()[0] is not None:
        traceback.print_exc()
    sys.stderr.write(f"amiss: {' '.join(sentence.splitlines())}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
