"""A server process of `amiss serve` for measurements: started, watched, stopped."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cells import ROOT


@dataclass(frozen=True)
class Server:
    """A process that answers at an address; its log is a file."""

    process: subprocess.Popen[str]
    host: str
    port: int
    log: Path

    def memory(self) -> dict[str, float]:
        """Megabytes: resident, of it not file-backed, and the most that was ever resident."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        found = dict(line.split(":", 1) for line in lines)
        named = {"resident": "VmRSS", "anonymous": "RssAnon", "peak": "VmHWM"}
        return {name: round(int(found[key].split()[0]) / 1024, 1) for name, key in named.items()}

    def cpu_seconds(self) -> float:
        """Seconds of processor time so far, of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None


@contextmanager
def served(
    models: Sequence[Path], log: Path, *options: str, memory_mb: int | None = None, seconds: float = 60
) -> Iterator[Server]:
    """Serve models as a command does; memory_mb: most address space beyond what it takes when it is ready."""
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "amiss", "serve", *map(str, models), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": path},
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("serving at "):
            raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
        address = urlsplit(line.split()[2])
        assert address.hostname is not None
        assert address.port is not None
        if memory_mb is not None:
            _cap(process.pid, memory_mb)
        yield Server(process, address.hostname, address.port, log)
    finally:
        process.send_signal(signal.SIGTERM)
        until = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        if process.poll() is None:
            process.kill()
        process.communicate()


def _cap(pid: int, megabytes: int) -> None:
    """Let the address space grow by so much and no more: what asks for more gets none."""
    taken = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (taken + megabytes * 2**20,) * 2)
