"""The score of GradCon (Kwon et al., ECCV 2020, Section 4.3), for every autoencoder whose decoder is constrained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from amiss.contracts import Scorer
from amiss.nets.conv_autoencoder import ConvAutoencoder, ConvVAE
from amiss.objectives.gradients import gradient_cosines, transposed_layers
from amiss.objectives.reconstruction import ReconstructionLoss


class GradConScorer(Scorer):
    """Reconstruction error plus beta times the misalignment of the image's own decoder gradients."""

    def __init__(
        self, ae: ConvAutoencoder | ConvVAE, error: ReconstructionLoss, reference: Sequence[Tensor], beta: float
    ) -> None:
        super().__init__()
        transposed_layers(ae.decoder)
        self.ae, self.error, self.beta = ae, error, beta
        self.reference = nn.ParameterList(reference)
        self.weights = {"recon": 1.0, "grad": beta}
        n = len(self.reference)
        self.layer_weights = {f"grad.{i}": beta / n for i in range(1, n + 1)} if beta else {}

    def terms(self, x: Tensor) -> dict[str, Tensor]:
        """recon (L), latent (Omega), grad (L_grad) and its layers grad.1, next to the code, to grad.4; each (B,)."""
        z, omega = self.ae.encode(x.contiguous(memory_format=torch.channels_last))
        recon, cosines = gradient_cosines(self.ae.decoder, z, x, self.error, list(self.reference))
        by_layer = {f"grad.{i}": -cosine for i, cosine in enumerate(cosines, start=1)}
        return {"recon": recon, "latent": omega, "grad": -torch.stack(cosines).mean(0), **by_layer}

    def reconstruct(self, x: Tensor) -> Tensor:
        """What the autoencoder makes of images, (B, C, H, W)."""
        return self.ae(x)

    def forward(self, x: Tensor) -> Tensor:
        """L + beta L_grad, (B,); with beta = 0 the reconstruction error alone."""
        if self.beta == 0:
            return self.error(x, self.ae(x))
        terms = self.terms(x)
        return terms["recon"] + self.beta * terms["grad"]
