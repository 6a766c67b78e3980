"""Checksummed, resumable downloads over http and https: the only place where amiss reaches for the network."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from amiss.contracts import InputError, Progress, WorkError
from amiss.data.atomic import sync_folder

CHUNK = 1 << 16  # bytes
TIMEOUT = 30.0  # seconds without a byte
ALGORITHMS = ("sha256", "sha1", "md5")


@dataclass(frozen=True)
class DataFile:
    """One official file: where it stands under the data folder, and what proves that it is the official one."""

    path: str
    """Relative to the data folder, with forward slashes."""
    checksum: str
    """Algorithm and hexadecimal digest, such as sha256:ab12..."""
    size: int | None = None
    """Length in bytes, where it is known."""
    url: str | None = None
    """Where it is downloaded from; None when it comes out of the set's archive."""


def measure(path: Path, checksum: str) -> str:
    """Return the checksum of a file, by the algorithm that `checksum` names, as algorithm:digest.

    Raises InputError for an unknown algorithm.
    """
    algorithm = checksum.partition(":")[0]
    if algorithm not in ALGORITHMS:
        raise InputError(f"the checksum {checksum!r} is not one of {', '.join(f'{name}:...' for name in ALGORITHMS)}")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{digest.hexdigest()}"


def fetch(
    url: str,
    destination: Path,
    *,
    size: int | None,
    checksum: str,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
) -> Path:
    """Download `url` to `destination`, which only ever holds the whole, verified file; return `destination`.

    Bytes go to `destination` + ".part", and a later call continues there. A file that is there and right is left alone.
    Raises InputError for an address that is neither http nor https, and WorkError when the server, the connection, the
    disk or the checksum fails. `timeout` is in seconds without a byte.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"{url} is not an http:// or https:// address; no other is downloaded")
    part = _part(destination)
    try:
        if destination.is_file() and measure(destination, checksum) == checksum:
            return destination
        destination.parent.mkdir(parents=True, exist_ok=True)
        _download(url, part, size, progress, timeout)
        _install(part, destination, size, checksum, url)
    except urllib.error.HTTPError as error:
        error.close()
        raise WorkError(f"{url} answered {error.code} {error.reason}, so {destination} was not downloaded") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as error:
        raise WorkError(_interrupted(url, part, str(error) or type(error).__name__)) from error
    except OSError as error:
        raise WorkError(_disk(part, error)) from error
    return destination


def unpack(archive: Path, files: Sequence[DataFile], folder: Path, progress: Progress | None = None) -> None:
    """Take `files` out of a gzipped tar archive into `folder`, each verified before it gets its name.

    A member is taken only if it is a regular file whose name and length are those of a wanted file, so that no archive
    writes anywhere else. Raises WorkError when the archive is damaged or lacks a file, or the disk fails.
    """
    wanted = {file.path: file for file in files}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                file = wanted.get(member.name)
                if file is None or not member.isreg() or member.size != file.size:
                    continue
                source = tar.extractfile(member)
                assert source is not None  # a regular file has content
                destination = folder / file.path
                destination.parent.mkdir(parents=True, exist_ok=True)
                with source, _part(destination).open("wb") as part:
                    shutil.copyfileobj(source, part, CHUNK)
                _install(_part(destination), destination, file.size, file.checksum, f"{archive} ({member.name})")
                del wanted[file.path]
                if progress is not None:
                    progress(f"unpack {archive.name}", len(files) - len(wanted), len(files), file.path)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise WorkError(f"{archive} is damaged ({error}); delete it and run the same command again") from error
    except OSError as error:
        raise WorkError(_disk(archive, error)) from error
    if wanted:
        raise WorkError(f"{archive} does not hold {', '.join(wanted)}; the official archive does")


def _part(destination: Path) -> Path:
    return destination.with_name(destination.name + ".part")


def _download(url: str, part: Path, size: int | None, progress: Progress | None, timeout: float) -> None:
    """Bring `part` to its full length, from where it ends now if the server can do that."""
    done = part.stat().st_size if part.exists() else 0
    if done and done == size:
        return  # stopped between the last byte and the check
    response, done = _open(url, 0 if size is not None and done > size else done, timeout)
    with response:
        announced = None if response.length is None else done + response.length
        if size is not None and announced is not None and announced != size:
            raise WorkError(f"{url} offers {announced} bytes, the official file has {size}; nothing was downloaded")
        total = announced if size is None else size
        with part.open("ab" if done else "wb") as file:
            while chunk := response.read1(CHUNK):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(f"download {part.stem}", done, total or 0, url)
                if total is not None and done > total:
                    break  # an endless answer must not fill the disk; the length is refused below
    if total is not None and done < total:
        raise WorkError(_interrupted(url, part, f"after {done} of {total} bytes"))


def _open(url: str, start: int, timeout: float) -> tuple[HTTPResponse, int]:
    """Ask for `url` from byte `start` on; returns the answer and the byte at which it really begins."""
    # An opener made of these parts alone has no handler for file: or ftp:, neither here nor after a redirect.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "amiss"), *([("Range", f"bytes={start}-")] if start else [])]
    try:
        response = opener.open(url, timeout=timeout)
    except urllib.error.HTTPError as error:
        if start and error.code == 416:  # what we hold is longer than what the server has
            error.close()
            return _open(url, 0, timeout)
        raise
    assert isinstance(response, HTTPResponse)
    if not start or response.status != 206:
        return response, 0
    if response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        return response, start
    response.close()
    return _open(url, 0, timeout)


def _install(part: Path, destination: Path, size: int | None, checksum: str, source: str) -> None:
    """Verify `part` and rename it to `destination`; a wrong one is removed, so that the next call starts afresh."""
    length = part.stat().st_size
    if size is not None and length != size:
        part.unlink()
        raise WorkError(f"{destination.name} from {source} has {length} bytes, expected {size}; it was not kept")
    got = measure(part, checksum)
    if got != checksum:
        part.unlink()
        raise WorkError(f"{destination.name} from {source} has checksum {got}, expected {checksum}; it was not kept")
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(destination)
    sync_folder(destination.parent)


def _interrupted(url: str, part: Path, why: str) -> str:
    kept = f"{part} keeps what arrived, " if part.exists() else ""
    return f"the download of {url} was interrupted ({why}); {kept}run the same command again to continue"


def _disk(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of {path.parent} is full; make room and run the same command again"
    return f"{error.filename or path} cannot be read or written: {error.strerror or error}"
