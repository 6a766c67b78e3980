"""`amiss serve`: models over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from amiss.cli.console import result
from amiss.cli.deciding import require_one_decision
from amiss.cli.options import parse
from amiss.cli.values import Given
from amiss.contracts import InputError
from amiss.serve.access import read_token, require_safe
from amiss.serve.limits import Limits
from amiss.serve.loaded import Decision
from amiss.serve.rolling import DriftOptions
from amiss.serve.run import Plan, require_extra, serve


@dataclass(frozen=True)
class ServeOptions:
    """Answer over HTTP: image upload, the Open Inference Protocol, and metrics."""

    models: Annotated[tuple[Path, ...], Positional, arg(metavar="MODEL [MODEL ...]", help_behavior_hint="")]
    """Model files, made by amiss fit; each is called by its name without the ending."""
    host: Annotated[str, arg(metavar="ADDRESS")] = "127.0.0.1"
    """Address to listen on; 0.0.0.0 or :: is every one of this machine, and needs a token."""
    port: int = 8000
    """Port to listen on; 0 takes a free one and prints it."""
    token_file: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """File with the token that clients have to send; AMISS_TOKEN in the environment otherwise."""
    insecure: bool = False
    """Let anybody in who can reach the address, without a token."""
    fpr: Annotated[Given | None, arg(metavar="RATE", help_behavior_hint="")] = None
    """Let all models decide at another false-alarm rate than their own, from their calibration scores."""
    threshold: Annotated[Given | None, arg(metavar="SCORE", help_behavior_hint="")] = None
    """Let all models decide at a threshold set by hand: images that score above it are labelled 1."""
    device: Annotated[str, arg(metavar="NAME")] = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    limits: Limits = field(default_factory=Limits)
    drift: DriftOptions = field(default_factory=DriftOptions)


def main(arguments: Sequence[str]) -> int:
    """Serve models until SIGTERM or Ctrl-C."""
    options = parse(ServeOptions, arguments, "serve")
    if not options.models:
        raise InputError("MODEL is missing: give one or more files made by amiss fit")
    if not 0 <= options.port <= 65535:
        raise InputError(f"--port {options.port} is no port: give 0 to 65535")
    require_one_decision(options.fpr, options.threshold)
    require_extra()
    token = read_token(options.token_file)
    require_safe(options.host, token, insecure=options.insecure)
    plan = Plan(
        options.models,
        options.host,
        options.port,
        token,
        options.device,
        options.limits,
        options.drift,
        Decision(options.fpr, options.threshold),
    )
    serve(plan, lambda address: result(f"serving at {address} (open it in a browser to drop images; Ctrl-C stops)"))
    return 0
