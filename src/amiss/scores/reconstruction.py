"""The reconstruction error as the score."""

from __future__ import annotations

from torch import Tensor, nn

from amiss.contracts import Scorer
from amiss.objectives.reconstruction import ReconstructionLoss


class ReconstructionScorer(Scorer):
    """How far an autoencoder's output is from its image."""

    weights = {"recon": 1.0}  # noqa: RUF012  read only, as the contract says

    def __init__(self, ae: nn.Module, error: ReconstructionLoss) -> None:
        super().__init__()
        self.ae, self.error = ae, error

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """recon, the error (B,) of each image."""
        return {"recon": self(x)}

    def reconstruct(self, x: Tensor) -> Tensor:
        """What the autoencoder makes of images, (B, C, H, W)."""
        return self.ae(x)

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction error (B,) of images (B, C, H, W) in [0, 1]."""
        return self.error(x, self.ae(x))
