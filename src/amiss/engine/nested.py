"""What methods made of methods share: running other learners' phases inside one's own, and keeping their scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from amiss.contracts import ImageSpec, InputError, Learner, Losses, Method, Phase, Scorer, WorkError


class Members(nn.Module):
    """Learners whose phases run one after the other inside an outer learner, which forwards `criterion` and `vitals`.

    A member sees its own clock, is selected by its own criterion in its own phases alone, and does not change once its
    phases are over: nothing else steps its optimizers or runs its networks in training mode.
    """

    def __init__(self, methods: Sequence[Method], spec: ImageSpec, known: Tensor | None) -> None:
        """Make the learners; raises InputError for known anomalies that no member can use, and for no members."""
        super().__init__()
        if not methods:
            raise InputError("a method made of methods was given none: give at least one member")
        if known is not None and not uses_known(methods):
            raise InputError("every member learns from normal images only: they cannot use known anomalies")
        self.each: list[Learner] = [m.learner(spec, known if m.semi_supervised else None) for m in methods]
        self.learners = nn.ModuleList(self.each)
        self.running: int | None = None  # set by the code between phases, which runs again on resume

    @property
    def held_out(self) -> bool:
        """Whether one of them asks for normal images held out of training."""
        return any(learner.held_out for learner in self.each)

    def phases(self, outer: Learner) -> Iterator[Phase]:
        """All phases of the first member, then of the next; each with the time that the engine tells the outer one."""
        for i, learner in enumerate(self.each):
            for phase in learner.phases():
                self.running = i
                yield _inside(outer, learner, phase, f"member {i + 1}: {phase.name}")
        self.running = None

    def criterion(self, x: Tensor) -> Tensor | None:
        """Held-out-normal loss of the member whose phase runs, a scalar; None where it has none, or none runs."""
        learner = None if self.running is None else self.each[self.running]
        return learner.criterion(x) if learner is not None and learner.held_out else None

    def vitals(self, x: Tensor) -> dict[str, Tensor]:
        """Vitals of the members that have begun, of images (B, C, H, W), each (B, ...): by number, as in `1.latent`."""
        begun = self.each if self.running is None else self.each[: self.running + 1]
        return {f"{i}.{name}": v for i, m in enumerate(begun, start=1) for name, v in m.vitals(x).items()}

    def scorers(self) -> list[Scorer]:
        """Every member's scorer, in order."""
        return [learner.scorer() for learner in self.each]


def uses_known(methods: Sequence[Method]) -> bool:
    """Whether training one of the methods needs known anomalies."""
    return any(method.semi_supervised for method in methods)


def _inside(outer: Learner, learner: Learner, phase: Phase, name: str) -> Phase:
    """The phase, telling its learner before each call what the engine told the outer one."""

    def tell() -> None:
        learner.clock, learner.elapsed = outer.clock, outer.elapsed

    def step(x: Tensor) -> Losses:
        tell()
        return phase.step(x)

    def after_epoch() -> None:
        tell()
        if phase.after_epoch is not None:
            phase.after_epoch()

    return replace(phase, name=name, step=step, after_epoch=after_epoch)


class ScoreMemory(nn.Module):
    """Scores of held-out normal images by k members, kept until one pass over these has ended."""

    kept: Tensor  # (n, k)

    def __init__(self, k: int) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(0, k))

    def phase(self, outer: Learner, members: Members, finish: Callable[[Tensor], None]) -> Phase:
        """One pass, after which `finish` gets the scores (k, n).

        The members trained on the other normal images, whose scores are therefore lower than those of new ones: kNN
        finds an image itself among its neighbours. Raises WorkError at the end if there were fewer than two images.
        """

        def step(x: Tensor) -> Losses:
            outer.eval()
            with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
                scores = [scorer.eval()(x) for scorer in members.scorers()]
            self.kept = torch.cat([self.kept, torch.stack(scores, 1)])
            return {}

        def end() -> None:
            scores, self.kept = self.kept, self.kept.new_zeros(0, self.kept.shape[1])
            if len(scores) < 2:
                raise WorkError(
                    f"scores cannot be compared on {len(scores)} held-out normal image: give at least 2 of them"
                )
            finish(scores.T.contiguous())

        return Phase("reference scores", step, on="held_out", after_epoch=end)
