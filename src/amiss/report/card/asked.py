"""What a card is asked to measure, and whether that can be done with what was given."""

from __future__ import annotations

from dataclasses import dataclass

from amiss.adversaries.perturbation import Linf
from amiss.calibration.conformal import Calibration
from amiss.contracts import InputError
from amiss.data.listing import FileSource
from amiss.data.reading import Source
from amiss.data.store import OnBad


@dataclass(frozen=True)
class Asked:
    """Everything is optional; what is not asked for is left out of the card, which says so.

    Raises InputError for an attack's radius out of range, and where a measurement lacks its images.
    """

    normal: Source | None = None
    """Labelled images that are normal, which training never saw."""
    anomalous: Source | None = None
    """Labelled images that are anomalous."""
    compare: bool = False
    """Whether kNN and PCA are fitted on the training images and measured too."""
    attack: tuple[float, ...] = ()
    """Radii within which normal images are attacked, in pixel values from 0 to 1."""
    corruptions: bool = False
    """Whether normal images are scored under made conditions."""
    drift: Source | None = None
    """Recent images that should be normal."""
    train: FileSource | None = None
    """The training images, where the model does not find them any more."""
    on_bad: OnBad = "stop"
    """What to do with an image that cannot be read."""

    def __post_init__(self) -> None:
        for eps in self.attack:
            Linf(eps=eps)
        if self.anomalous is not None and self.normal is None:
            raise InputError("--anomalous needs normal images beside them: give --normal too")
        for option, wanted in (("--compare", self.compare), ("--attack", bool(self.attack))):
            if wanted and (self.normal is None or self.anomalous is None):
                raise InputError(f"{option} measures on labelled images: give --normal and --anomalous")
        if self.train is not None and not self.needs_training_images:
            raise InputError("--train says where the training images are, and nothing needs them: give --compare")

    @property
    def needs_training_images(self) -> bool:
        """Whether something is fitted or measured on the model's own images."""
        return self.compare or (self.corruptions and self.normal is None)

    def check(self, calibration: Calibration) -> None:
        """Raise InputError where the model has no calibration images to measure by."""
        if calibration.n:
            return
        for option, wanted in (("--drift", self.drift is not None), ("--corruptions", self.corruptions)):
            if wanted:
                raise InputError(f"{option} compares with calibration images, and the model was fitted without any")
