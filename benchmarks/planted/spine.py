"""Faults in the spine: GradCon, decision, data, engine, artifact, classical methods."""

from __future__ import annotations

from planted import Mutant

GRADIENTS, GRADCON = "objectives/gradients.py", "methods/gradcon.py"
TEST_GRADIENTS, TEST_GRADCON = "tests/objectives/test_gradients.py", "tests/methods/test_gradcon.py"
CONFORMAL, TEST_CONFORMAL = "calibration/conformal.py", "tests/calibration"
TEST_DETECTOR = "tests/test_detector.py"

MUTANTS = [
    Mutant(
        "gradient loss with the wrong sign in training",
        GRADIENTS,
        (("return -torch.stack(cosines).mean()", "return torch.stack(cosines).mean()"),),
        TEST_GRADIENTS,
    ),
    Mutant(
        "gradient loss with the wrong sign in the score",
        "scores/gradients.py",
        (('"grad": -torch.stack(cosines).mean(0)', '"grad": torch.stack(cosines).mean(0)'),),
        TEST_GRADCON,
    ),
    Mutant(
        "biases included in the training gradients",
        GRADIENTS,
        (
            (
                "[layer.weight for layer in transposed_layers(decoder)]",
                "[p for layer in transposed_layers(decoder) for p in (layer.weight, layer.bias)]",
            ),
        ),
        TEST_GRADCON,
    ),
    Mutant(
        "bias gradient added to the norm in the score",
        GRADIENTS,
        (
            (
                "cosines.append(dot / square.clamp_min(EPS**2).sqrt())",
                "cosines.append(dot / (square + delta.sum((2, 3)).square().sum(1)).clamp_min(EPS**2).sqrt())",
            ),
        ),
        TEST_GRADIENTS,
    ),
    Mutant(
        "reference from L instead of J",
        GRADCON,
        (
            (
                "        descend(self.objective(losses), self.adam)",
                '        of_l = torch.autograd.grad(losses["recon"], self.direction.weights, retain_graph=True)\n'
                "        descend(self.objective(losses), self.adam)\n"
                "        for weight, gradient in zip(self.direction.weights, of_l, strict=True):\n"
                "            weight.grad = gradient",
            ),
        ),
        TEST_GRADCON,
    ),
    Mutant(
        "reference with a decay instead of a mean",
        GRADIENTS,
        (("(weight.grad - mean) / self.iterations", "(weight.grad - mean) / 2"),),
        TEST_GRADCON,
    ),
    Mutant(
        "gradient loss already in the first iteration",
        GRADIENTS,
        (("if not self.iterations:", "if self.iterations < 0:"),),
        TEST_GRADCON,
    ),
    Mutant("beta is alpha", GRADCON, (("beta = 4 * self.hp.alpha", "beta = self.hp.alpha"),), TEST_GRADCON),
    Mutant(
        "sum for mean in the reconstruction error",
        "objectives/reconstruction.py",
        (("return (y - x).square().flatten(1).mean(1)", "return (y - x).square().flatten(1).sum(1)"),),
        TEST_GRADIENTS,
    ),
    Mutant(
        "backward pass without the ReLU's mask",
        GRADIENTS,
        (("delta = torch.where(inputs[i] > 0, back, 0)", "delta = back"),),
        TEST_GRADIENTS,
    ),
    Mutant(
        "latent loss left out of the objective",
        GRADCON,
        (('total = losses["recon"] + losses["latent"]', 'total = losses["recon"]'),),
        TEST_GRADCON,
    ),
    Mutant(
        "threshold one order statistic too low",
        CONFORMAL,
        (("self.scores[self.n - allowed(self.fpr, self.n)]", "self.scores[self.n - allowed(self.fpr, self.n) - 1]"),),
        TEST_CONFORMAL,
    ),
    Mutant(
        "threshold one order statistic too high",
        CONFORMAL,
        (
            (
                "self.scores[self.n - allowed(self.fpr, self.n)]",
                "self.scores[min(self.n - 1, self.n - allowed(self.fpr, self.n) + 1)]",
            ),
        ),
        TEST_CONFORMAL,
    ),
    Mutant(
        "threshold at the midpoint",
        CONFORMAL,
        (("low + min(self.tolerance, high / 2 - low / 2)", "low + (high / 2 - low / 2)"),),
        TEST_CONFORMAL,
    ),
    Mutant(
        "threshold on a calibration score",
        CONFORMAL,
        (("low + min(self.tolerance, high / 2 - low / 2)", "low"),),
        TEST_CONFORMAL,
    ),
    Mutant(
        "ties count for the image in p-values",
        CONFORMAL,
        (('np.searchsorted(self.scores, values, side="left")', 'np.searchsorted(self.scores, values, side="right")'),),
        TEST_CONFORMAL,
    ),
    Mutant(
        "p-value without the image itself",
        CONFORMAL,
        (
            (
                "return (1 + self.n - self._below(scores)) / (self.n + 1)",
                "return (self.n - self._below(scores)) / self.n",
            ),
        ),
        TEST_CONFORMAL,
    ),
    Mutant(
        "calibration images leaked into training",
        "fitting/fit.py",
        (
            (
                "for i in (parts.train, parts.held_out, parts.calibration)",
                "for i in (np.union1d(parts.train, parts.calibration), parts.held_out, parts.calibration)",
            ),
        ),
        TEST_DETECTOR,
    ),
    Mutant(
        "equal images on two sides of the split",
        "protocols/split.py",
        (("[images.digests()]", "[np.arange(n)]"),),
        TEST_DETECTOR,
    ),
    Mutant(
        "groups torn apart by the split",
        "protocols/split.py",
        (("([] if images.groups is None else [images.groups])", "[]"),),
        TEST_DETECTOR,
    ),
    Mutant(
        "worst epoch selected",
        "engine/fitting.py",
        (("if value < run.best_value:", "if value > -run.best_value:"),),
        "tests/engine",
    ),
    Mutant(
        "every epoch in the same order",
        "engine/runtime.py",
        (('derive(seed, "order", phase, epoch)', 'derive(seed, "order", phase)'),),
        "tests/engine",
    ),
    Mutant(
        "optimizers forgotten on resume",
        "engine/state.py",
        (("        stepper.load_state_dict(saved[name])", "        saved[name]"),),
        "tests/engine",
    ),
    Mutant(
        "altered model file accepted",
        "artifact/file.py",
        (('if _digest(tensors, header) != header.get("sha256"):', "if False:"),),
        "tests/test_artifact.py",
    ),
    Mutant(
        "kNN one neighbour off",
        "methods/knn.py",
        ((".topk(k, dim=1", ".topk(k - 1, dim=1"),),
        "tests/methods/test_knn.py",
    ),
    Mutant(
        "16-bit images scaled as if white were 65536",
        "transforms/unit.py",
        (("torch.uint16: 65535.0", "torch.uint16: 65536.0"),),
        "tests/test_transforms.py",
    ),
]
