"""A bar on a terminal, plain lines elsewhere."""

import io
import os
import re

import pytest

from amiss.engine import progress
from amiss.engine.progress import Reporter, silent


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("TERM", "xterm")
    return now


def columns(monkeypatch, n):
    monkeypatch.setattr(progress.shutil, "get_terminal_size", lambda: os.terminal_size((n, 24)))


def run(reporter, clock, total=200, seconds=0.5, what="training (autoencoder)", detail="epoch 1"):
    for done in range(1, total + 1):
        clock[0] += seconds
        reporter(what, done, total, detail)


def lines(text):
    return [line for line in re.split(r"[\r\n]", text) if line]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_every_drawing_fits_the_terminal_and_covers_the_one_before(clock, monkeypatch, width):
    columns(monkeypatch, width)
    stream = Terminal()
    reporter = Reporter(stream)
    run(reporter, clock)
    reporter.close()
    drawn = lines(stream.getvalue())
    assert len(drawn) == 200
    assert {len(line) for line in drawn} == {width - 1}
    assert all(line.isprintable() for line in drawn)
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\n")


def test_a_bar_grows_from_empty_to_full(clock, monkeypatch):
    columns(monkeypatch, 100)
    stream = Terminal()
    run(Reporter(stream), clock)
    bars = re.findall(r"\[([#.]+)\]", stream.getvalue())
    filled = [bar.count("#") for bar in bars]
    assert len({len(bar) for bar in bars}) == 1
    assert filled == sorted(filled)
    assert (filled[0], filled[-1]) == (0, len(bars[0]))


def test_a_terminal_is_drawn_at_most_ten_times_a_second_and_at_the_end(clock, monkeypatch):
    columns(monkeypatch, 80)
    stream = Terminal()
    run(Reporter(stream), clock, total=1000, seconds=0.001)
    drawn = lines(stream.getvalue())
    assert 8 <= len(drawn) <= 12
    assert "1,000/1,000" in drawn[-1]


def test_time_left_is_told_from_the_pace(clock, monkeypatch):
    columns(monkeypatch, 100)
    stream = Terminal()
    reporter = Reporter(stream)
    reporter("training", 0, 100, "")
    clock[0] += 10
    reporter("training", 10, 100, "")
    assert "10/100 0:10 1:30 left" in lines(stream.getvalue())[-1]
    clock[0] += 90
    reporter("training", 100, 100, "")
    assert "100/100 1:40" in lines(stream.getvalue())[-1]
    assert "left" not in lines(stream.getvalue())[-1]


def test_a_resumed_fit_counts_its_pace_from_where_it_resumed(clock, monkeypatch):
    columns(monkeypatch, 100)
    stream = Terminal()
    reporter = Reporter(stream)
    reporter("training", 90, 100, "")
    clock[0] += 10
    reporter("training", 95, 100, "")
    assert "95/100 0:10 0:10 left" in lines(stream.getvalue())[-1]


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_an_unknown_total_shows_a_count_and_no_bar(clock, monkeypatch, kind):
    columns(monkeypatch, 80)
    stream = kind()
    reporter = Reporter(stream, every=0.1)
    for done in range(1, 50):
        clock[0] += 1
        reporter("decoding", done * 1000, 0, "")
    reporter.close()
    assert "49,000" in stream.getvalue()
    assert not re.search(r"[\[#/]|left", stream.getvalue())


def test_plain_lines_elsewhere_every_few_seconds(clock):
    stream = io.StringIO()
    reporter = Reporter(stream)
    run(reporter, clock, total=100, seconds=0.5)
    reporter.close()
    assert "\r" not in stream.getvalue()
    drawn = stream.getvalue().splitlines()
    assert len(drawn) == 10
    assert re.fullmatch(r"training \(autoencoder\): 11/100 0:05 0:4\d left  epoch 1", drawn[0])
    assert drawn[-1].startswith("training (autoencoder): 100/100")


def test_verbose_writes_a_line_for_every_change_of_the_detail_on_a_terminal_too(clock):
    stream = Terminal()
    reporter = Reporter(stream, verbose=True)
    for epoch in (1, 2, 3):
        for i in range(1, 5):
            clock[0] += 0.1
            reporter("training", 4 * (epoch - 1) + i, 12, f"epoch {epoch}")
    reporter.close()
    assert "\r" not in stream.getvalue()
    told = [re.sub(r" \d:\d\d( .*left)?", "", line) for line in stream.getvalue().splitlines()]
    assert told == [
        "training: 1/12  epoch 1",
        "training: 5/12  epoch 2",
        "training: 9/12  epoch 3",
        "training: 12/12  epoch 3",
    ]


def test_short_work_writes_no_plain_line(clock):
    stream = io.StringIO()
    reporter = Reporter(stream)
    run(reporter, clock, total=10, seconds=0.1)
    reporter.close()
    assert stream.getvalue() == ""


def test_a_dumb_terminal_gets_plain_lines(clock, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    run(Reporter(stream), clock)
    assert "\r" not in stream.getvalue()
    assert stream.getvalue()


def test_the_next_work_starts_on_its_own_line(clock, monkeypatch):
    columns(monkeypatch, 80)
    stream = Terminal()
    reporter = Reporter(stream)
    run(reporter, clock, total=3, what="decoding")
    run(reporter, clock, total=3, what="training")
    reporter.close()
    reporter.close()
    first, second, rest = stream.getvalue().split("\n")
    assert "decoding" in first
    assert "training" not in first
    assert "training" in second
    assert rest == ""


def test_hours_are_told(clock, monkeypatch):
    columns(monkeypatch, 100)
    stream = Terminal()
    reporter = Reporter(stream)
    reporter("training", 0, 2, "")
    clock[0] += 3723
    reporter("training", 1, 2, "")
    assert "1:02:03 1:02:03 left" in stream.getvalue()


def test_standard_error_by_default(capsys, clock):
    reporter = Reporter(every=0.0)
    run(reporter, clock, total=2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err


def test_silence():
    assert silent("training", 1, 2, "") is None
