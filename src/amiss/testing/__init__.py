"""The conformance suite: what every method promises, as checks that anyone can run on a method of their own.

`check_method(load("gradcon"))` runs them all. A test framework may run one check at a time, and let the checks of one
method share their fits:

    @pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
    def test_mine(check, subject):   # a fixture of module scope that returns Subject(Mine())
        check(subject)

The method's module must be in the catalogue, through the entry point `amiss.methods`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amiss.contracts import ImageSpec, Method
from amiss.testing import fits, scores, settings
from amiss.testing.resuming import resumes_exactly
from amiss.testing.subject import SPEC, Subject

__all__ = ["CHECKS", "Subject", "check_method"]

CHECKS: dict[str, Callable[[Subject], None]] = {
    check.__name__: check
    for check in (
        settings.has_defaults,
        settings.is_frozen,
        settings.survives_json,
        settings.uses_or_refuses_known_anomalies,
        fits.learns,
        fits.beats_chance_on_real_images,
        fits.repeats_with_its_seed,
        fits.leaves_the_random_state,
        fits.selects_without_a_trace,
        resumes_exactly,
        scores.gives_a_number_per_image,
        scores.scores_each_image_alone,
        scores.adds_up,
        scores.scores_without_a_trace,
        scores.survives_a_file,
        scores.exports,
        scores.has_the_gradient_it_says,
    )
}
"""Every check by name; each raises AssertionError with a sentence that names what failed."""


def check_method(
    method: Method, *, spec: ImageSpec | None = None, seeds: Sequence[int] = (0, 1), max_epochs: int = 12
) -> None:
    """Run every check on a method of the catalogue; takes seconds to a minute for methods of moderate size.

    spec: the shape of the images; (1, 28, 28) if not given. seeds: at least two, and real images are tried with each.
    max_epochs: caps every phase of the longest fits.
    Raises AssertionError, with a sentence that names what failed, at the first check that does.
    """
    subject = Subject(method, spec or SPEC, tuple(seeds), max_epochs)
    for check in CHECKS.values():
        check(subject)
