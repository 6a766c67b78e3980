"""What notebooks show: tables and figures, escaped, bounded and closed."""

from __future__ import annotations

import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from amiss import Detector
from amiss.calibration.conformal import Calibration
from amiss.calibration.notebook import MOST
from amiss.calibration.table import tabulate
from amiss.contracts import InputError
from amiss.explain.figures import examples_figure, scores_figure

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 20, 20), dtype=np.uint8)
NASTY = ["<script>x</script>", '"><img src=x onerror=y>', "a\u202eb\nc", "$x^2$ & {b}"]


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector("pca", fpr=0.1, size=20).fit(IMAGES)


@pytest.fixture
def agg() -> None:
    """A Matplotlib that needs no screen."""
    import matplotlib

    matplotlib.use("Agg")


def test_a_table_shows_its_first_rows_and_escapes_names() -> None:
    names = [f"{i}.png" for i in range(30)]
    table = tabulate(names, np.arange(30.0), Calibration(np.arange(19.0), 0.1), {"<b>": np.arange(30.0)})
    found = Tags(table._repr_html_())
    assert found.tags.count("tr") == 1 + MOST
    assert "30 images" in found.said
    assert "10 more rows are not shown" in found.said
    assert set(found.tags) == {"p", "table", "thead", "tbody", "tr", "th", "td"}
    assert "<b>" in found.said
    evil = tabulate(NASTY, np.arange(4.0), Calibration(np.arange(19.0), 0.1), {})
    found = Tags(evil._repr_html_())
    assert set(found.tags) == {"p", "table", "thead", "tbody", "tr", "th", "td"}
    assert "a\\u202eb\\nc" in found.said
    assert "more rows" not in found.said


def test_an_empty_table_is_shown() -> None:
    assert "0 images" in Tags(tabulate([], np.empty(0), Calibration(np.empty(0)), {})._repr_html_()).said


def test_a_detector_tells_what_it_is(detector: Detector) -> None:
    said = Tags(detector._repr_html_()).said
    for words in ("pca", "fitted", "20 x 20 pixels, grey", "48 images", "12 images", "at most 10 % of normal images"):
        assert words in said
    assert "not fitted" in Tags(Detector("knn")._repr_html_()).said
    by_hand = Detector.of(detector.artifact).set_threshold(3.0)
    assert "set by hand" in Tags(by_hand._repr_html_()).said
    assert "no decision is made" in Tags(Detector.of(detector.artifact).set_fpr(None)._repr_html_()).said


@pytest.mark.extra("report")
def test_scores_are_drawn_as_shares_with_the_threshold(detector: Detector, agg: None) -> None:
    import matplotlib.pyplot as plt

    figure = detector.plot_scores(IMAGES)
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[:2] == ["calibration, normal (12)", "these images (60)"]
    assert texts[2].startswith("threshold ")
    shares = [patch.get_data().values.sum() for patch in axes.patches]
    assert shares == pytest.approx([100, 100])
    assert plt.get_fignums() == []
    alone = detector.plot_scores()
    assert len(alone.axes[0].patches) == 1
    with pytest.raises(InputError, match="there are no scores to plot"):
        scores_figure(Calibration(np.empty(0)), None)


@pytest.mark.extra("report")
@pytest.mark.parametrize("n", [1, 5, 100])
def test_the_highest_scores_are_shown(detector: Detector, agg: None, n: int) -> None:
    import matplotlib.pyplot as plt

    scores = detector.decision_function(IMAGES)
    figure = detector.plot_examples(IMAGES, n)
    shown = [axes for axes in figure.axes if axes.images]
    order = np.argsort(-scores, kind="stable")[:n]
    assert [axes.get_title().split("\n")[0] for axes in shown] == [str(i) for i in order]
    np.testing.assert_allclose(shown[0].images[0].get_array(), IMAGES[order[0]] / 255)
    assert [axes.axison for axes in shown] == [bool(label) for label in detector.calibration.predict(scores[order])]
    assert plt.get_fignums() == []


@pytest.mark.extra("report")
def test_a_name_is_no_formula_and_not_too_long(detector: Detector, agg: None, tmp_path) -> None:
    from PIL import Image

    for name in ("$x^2$ & $\\frac{.png", "n" * 100 + ".png"):
        Image.fromarray(IMAGES[0]).save(tmp_path / name)
    figure = detector.plot_examples(tmp_path, 2)
    figure.savefig(tmp_path / "figure.svg")
    assert max(len(axes.get_title().split("\n")[0]) for axes in figure.axes) <= 26


@pytest.mark.extra("report")
def test_nothing_cannot_be_shown(detector: Detector) -> None:
    with pytest.raises(InputError, match="give at least 1"):
        examples_figure([], detector.layout, 0)


def test_without_matplotlib_a_figure_is_refused(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(InputError, match=r'pip install "amiss\[report\]"'):
        scores_figure(detector.calibration, None)
