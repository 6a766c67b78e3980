import hashlib
import io
import os
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from amiss.contracts import InputError, WorkError
from amiss.data.download import DataFile, fetch, measure, unpack

BODY = np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8).tobytes()
SUM = "sha256:" + hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves BODY in the manner that the path names; `server.asked` lists (path, Range)."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        match self.path:
            case "/good" | "/cut":
                if start >= len(BODY):
                    self.send_error(416)
                elif start:
                    self.answer(206, BODY[start:], f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
                else:
                    self.answer(200, BODY)
            case "/no-range":
                self.answer(200, BODY)
            case "/wrong-range":
                self.answer(206, BODY[5:], f"bytes 5-{len(BODY) - 1}/{len(BODY)}") if start else self.answer(200, BODY)
            case "/changed":
                self.answer(200, BODY[:-1] + b"?")
            case "/short":
                self.answer(200, BODY[:-1])
            case "/no-length":
                self.answer(200, BODY, length=False)
            case "/no-length-short":
                self.answer(200, BODY[:1000], length=False)
            case "/endless":
                self.answer(200, BODY * 20, length=False)
            case "/hang":
                self.answer(200, BODY[:1000], claim=len(BODY))
                self.server.released.wait(10)
            case "/redirect":
                self.redirect("/good")
            case "/to-file":
                self.redirect(Path(__file__).as_uri())
            case "/to-ftp":
                self.redirect("ftp://127.0.0.1/x")
            case _:
                self.send_error(404)

    def answer(self, status, body, content_range=None, length=True, claim=None):
        self.send_response(status)
        if content_range:
            self.send_header("Content-Range", content_range)
        if length:
            self.send_header("Content-Length", str(claim or len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut_after] if self.path == "/cut" else body)

    def redirect(self, where):
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """The client hanging up in the middle is what some tests do."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = QuietServer(("127.0.0.1", 0), Handler)
    server.asked, server.cut_after, server.released = [], None, threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def place(tmp_path):
    return tmp_path / "deep" / "body.gz"


def part(place):
    return place.with_name("body.gz.part")


@pytest.mark.parametrize("path", ["/good", "/no-length", "/redirect"])
def test_the_whole_file_arrives_with_progress(server, place, path):
    seen = []
    told = fetch(server.url + path, place, size=len(BODY), checksum=SUM, progress=lambda *step: seen.append(step))
    assert told == place
    assert place.read_bytes() == BODY
    assert not part(place).exists()
    assert seen[-1] == ("download body.gz", len(BODY), len(BODY), server.url + path)
    assert len(seen) > 1
    assert [s[1] for s in seen] == sorted({s[1] for s in seen})


def test_size_may_be_unknown(server, place):
    totals = set()
    fetch(server.url + "/no-length", place, size=None, checksum=SUM, progress=lambda *step: totals.add(step[2]))
    assert place.read_bytes() == BODY
    assert totals == {0}


def test_a_right_file_is_left_alone_and_a_wrong_one_replaced(server, place):
    place.parent.mkdir()
    place.write_bytes(b"wrong")
    fetch(server.url + "/good", place, size=len(BODY), checksum=SUM)
    fetch(server.url + "/good", place, size=len(BODY), checksum=SUM)
    assert place.read_bytes() == BODY
    assert len(server.asked) == 1


def test_a_cut_connection_keeps_the_part_and_a_second_call_continues_it(server, place):
    server.cut_after = 100_000
    with pytest.raises(WorkError, match=r"after 100000 of 300000 bytes.*run the same command again") as error:
        fetch(server.url + "/cut", place, size=len(BODY), checksum=SUM)
    assert str(part(place)) in str(error.value)
    assert part(place).read_bytes() == BODY[:100_000]
    assert not place.exists()
    server.cut_after = None
    first = []
    fetch(server.url + "/cut", place, size=len(BODY), checksum=SUM, progress=lambda *step: first.append(step[1]))
    assert place.read_bytes() == BODY
    assert server.asked == [("/cut", None), ("/cut", "bytes=100000-")]
    assert first[0] > 100_000


@pytest.mark.parametrize("size", [len(BODY), None])
@pytest.mark.parametrize("path", ["/no-range", "/wrong-range"])
def test_a_server_that_cannot_continue_starts_again(server, place, path, size):
    place.parent.mkdir()
    part(place).write_bytes(b"x" * 1000)
    fetch(server.url + path, place, size=size, checksum=SUM)
    assert place.read_bytes() == BODY
    assert server.asked[0] == (path, "bytes=1000-")


def test_a_complete_part_is_not_downloaded_again(server, place):
    place.parent.mkdir()
    part(place).write_bytes(BODY)
    fetch(server.url + "/good", place, size=len(BODY), checksum=SUM)
    assert place.read_bytes() == BODY
    assert server.asked == []


@pytest.mark.parametrize("size", [len(BODY), None])
def test_a_part_that_is_too_long_is_thrown_away(server, place, size):
    place.parent.mkdir()
    part(place).write_bytes(BODY + b"more")
    fetch(server.url + "/good", place, size=size, checksum=SUM)
    assert place.read_bytes() == BODY
    assert server.asked[-1] == ("/good", None)


def test_a_wrong_checksum_names_both_and_a_retry_can_succeed(server, place):
    got = "sha256:" + hashlib.sha256(BODY[:-1] + b"?").hexdigest()
    with pytest.raises(WorkError) as error:
        fetch(server.url + "/changed", place, size=len(BODY), checksum=SUM)
    for named in ("body.gz", SUM, got):
        assert named in str(error.value)
    assert list(place.parent.iterdir()) == []
    fetch(server.url + "/good", place, size=len(BODY), checksum=SUM)
    assert place.read_bytes() == BODY


def test_a_wrong_part_fails_once_and_the_retry_succeeds(server, place):
    place.parent.mkdir()
    part(place).write_bytes(b"x" * 1000)
    with pytest.raises(WorkError, match="checksum"):
        fetch(server.url + "/good", place, size=len(BODY), checksum=SUM)
    fetch(server.url + "/good", place, size=len(BODY), checksum=SUM)
    assert place.read_bytes() == BODY


def test_a_wrong_announced_length_is_refused_before_the_part_is_touched(server, place):
    place.parent.mkdir()
    part(place).write_bytes(BODY[:1000])
    with pytest.raises(WorkError, match="offers 299999 bytes, the official file has 300000"):
        fetch(server.url + "/short", place, size=len(BODY), checksum=SUM)
    assert part(place).read_bytes() == BODY[:1000]


def test_an_unannounced_short_answer_is_an_interruption(server, place):
    with pytest.raises(WorkError, match="after 1000 of 300000 bytes"):
        fetch(server.url + "/no-length-short", place, size=len(BODY), checksum=SUM)
    assert part(place).read_bytes() == BODY[:1000]


def test_an_endless_answer_does_not_fill_the_disk(server, place):
    most = []
    with pytest.raises(WorkError, match="expected 300000"):
        fetch(server.url + "/endless", place, size=len(BODY), checksum=SUM, progress=lambda *step: most.append(step[1]))
    assert max(most) < 2 * len(BODY)
    assert list(place.parent.iterdir()) == []


def test_a_silent_server_times_out_and_keeps_the_part(server, place):
    with pytest.raises(WorkError, match=r"interrupted \(timed out\)"):
        fetch(server.url + "/hang", place, size=len(BODY), checksum=SUM, timeout=0.2)
    assert part(place).read_bytes() == BODY[:1000]


def test_not_found_and_no_server_are_named(server, place):
    with pytest.raises(WorkError, match=r"/absent answered 404 Not Found.*body\.gz"):
        fetch(server.url + "/absent", place, size=1, checksum=SUM)
    with pytest.raises(WorkError, match="refused"):
        fetch("http://127.0.0.1:1/x", place, size=1, checksum=SUM)
    assert list(place.parent.iterdir()) == []


@pytest.mark.parametrize("url", [Path(__file__).as_uri(), "ftp://127.0.0.1/x", "data:,x", "/etc/hosts", ""])
def test_only_http_addresses_are_accepted(place, url):
    with pytest.raises(InputError, match="http"):
        fetch(url, place, size=None, checksum=SUM)
    assert not place.parent.exists()


@pytest.mark.parametrize("path", ["/to-file", "/to-ftp"])
def test_a_redirect_cannot_leave_http(server, place, path):
    checksum = "sha256:" + hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    with pytest.raises(WorkError, match=path):
        fetch(server.url + path, place, size=None, checksum=checksum)
    assert list(place.parent.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full, a disk that is always full")
def test_a_full_disk_is_named(server, place):
    place.parent.mkdir()
    part(place).symlink_to("/dev/full")
    with pytest.raises(WorkError, match="is full; make room and run the same command again") as error:
        fetch(server.url + "/good", place, size=len(BODY), checksum=SUM)
    assert str(place.parent) in str(error.value)
    assert not place.exists()


def test_a_place_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkError, match="file"):
        fetch(server.url + "/good", tmp_path / "file" / "body.gz", size=len(BODY), checksum=SUM)


def test_measure_knows_three_algorithms(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    # FIPS 180-2, appendices A.1 and B.1; RFC 1321, appendix A.5
    for known in (
        "sha1:a9993e364706816aba3e25717850c26c9cd0d89d",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "md5:900150983cd24fb0d6963f7d28e17f72",
    ):
        assert measure(tmp_path / "abc", known) == known
    for unknown in ("crc32:00", "abc"):
        with pytest.raises(InputError, match="sha256"):
            measure(tmp_path / "abc", unknown)


FILES = [DataFile(f"batches/{name}.bin", "sha256:" + hashlib.sha256(name.encode() * 9).hexdigest(), 9) for name in "ab"]


def tar(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for name, data, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "/etc/hosts"
            archive.addfile(info, io.BytesIO(data) if kind == tarfile.REGTYPE else None)
    return path


A = ("batches/a.bin", b"a" * 9, tarfile.REGTYPE)
B = ("batches/b.bin", b"b" * 9, tarfile.REGTYPE)


def everything(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def test_unpack_takes_the_wanted_files_and_nothing_else(tmp_path):
    home, seen = tmp_path / "in" / "home", []
    home.mkdir(parents=True)
    (home / "batches").mkdir()
    (home / "batches" / "a.bin").write_bytes(b"old")
    path = tar(
        tmp_path / "x.tar.gz",
        ("../escaped", b"!", tarfile.REGTYPE),
        (str(tmp_path / "absolute"), b"!", tarfile.REGTYPE),
        ("batches", b"", tarfile.SYMTYPE),
        ("batches/readme.html", b"!", tarfile.REGTYPE),
        ("batches/../../b.bin", b"b" * 9, tarfile.REGTYPE),
        A,
        B,
    )
    unpack(path, FILES, home, lambda *step: seen.append(step))
    assert everything(tmp_path) == ["in/home/batches/a.bin", "in/home/batches/b.bin", "x.tar.gz"]
    assert (home / "batches/a.bin").read_bytes() == b"a" * 9
    assert not (home / "batches").is_symlink()
    assert seen == [
        ("unpack x.tar.gz", 1, 2, "batches/a.bin"),
        ("unpack x.tar.gz", 2, 2, "batches/b.bin"),
    ]


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("batches/b.bin", b"c" * 9, tarfile.REGTYPE), FILES[1].checksum),
        (("batches/b.bin", b"b" * 10, tarfile.REGTYPE), "does not hold batches/b.bin"),
        (("batches/b.bin", b"b" * 9, tarfile.SYMTYPE), "does not hold batches/b.bin"),
        (("batches/b.bin", b"b" * 9, tarfile.LNKTYPE), "does not hold batches/b.bin"),
        (("batches/c.bin", b"b" * 9, tarfile.REGTYPE), "does not hold batches/b.bin"),
    ],
)
def test_unpack_refuses_what_is_not_the_official_file(tmp_path, member, said):
    with pytest.raises(WorkError) as error:
        unpack(tar(tmp_path / "x.tar.gz", A, member), FILES, tmp_path / "home")
    assert said in str(error.value)
    assert "x.tar.gz" in str(error.value)
    assert everything(tmp_path) == ["home/batches/a.bin", "x.tar.gz"]


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "middle"])
def test_unpack_names_a_damaged_archive(tmp_path, damage):
    path = tar(tmp_path / "x.tar.gz", ("filler", os.urandom(100_000), tarfile.REGTYPE), A, B)
    whole = path.read_bytes()
    middle = whole[:10] + bytes(b ^ 255 for b in whole[10:60]) + whole[60:]
    path.write_bytes({"cut": whole[:50_000], "text": b"hello", "empty": b"", "middle": middle}[damage])
    with pytest.raises(WorkError, match=r"x\.tar\.gz"):
        unpack(path, FILES, tmp_path / "home")


def test_unpack_names_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "home").write_bytes(b"")
    with pytest.raises(WorkError, match="home"):
        unpack(tar(tmp_path / "x.tar.gz", A, B), FILES, tmp_path / "home")
