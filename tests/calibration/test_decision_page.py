"""The tables of docs/decision.md are what the library computes."""

from __future__ import annotations

from pathlib import Path

from amiss.calibration.conformal import allowed, calibration_size, needed
from amiss.calibration.realised import realised_interval

PAGE = Path(__file__).parents[2] / "docs" / "decision.md"


def rows(header: str) -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = lines.index(header) + 2
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def test_images_needed() -> None:
    table = rows("| fpr | calibration images | normal images |")
    assert len(table) >= 5
    for fpr, calibration, normal in table:
        n = needed(float(fpr))
        assert (calibration, normal) == (str(n), str(2 * n))
        assert calibration_size(2 * n, float(fpr)) == n


def test_realised_rates() -> None:
    table = rows("| normal images | fpr | n | m | mean | 90 % of calibration sets |")
    assert len(table) >= 6
    for images, rate, *rest in table:
        fpr = float(rate)
        n = calibration_size(int(images), fpr)
        m = allowed(fpr, n)
        low, high = realised_interval(fpr, n)
        mean, interval = f"{100 * m / (n + 1):.2f} %", f"{100 * low:.2f} % to {100 * high:.2f} %"
        assert rest == [str(n), str(m), mean, interval]
