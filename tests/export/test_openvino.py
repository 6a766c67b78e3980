"""An exported file converts to OpenVINO, and decides there as it does here."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from exporting import SPEC, fitted, samples
from test_onnx_files import exported

from amiss.engine.scoring import score_images
from amiss.scores.gradients import GradConScorer

pytestmark = pytest.mark.extra("openvino")

CLOSE = 1e-5
"""Most that scores differ, as a share of their range."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["gradcon", "ama", "arae", "arae_conv", "history_ad", "pca", "knn", "kde", "ocsvm"])
def test_a_converted_file_decides_alike(name, tmp_path):
    import openvino

    torch.set_num_threads(1)
    detector = fitted(name)
    exported(detector, tmp_path)
    core = openvino.Core()
    model = core.compile_model(core.read_model(tmp_path / "model.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    images = samples(SPEC, "uint8").test
    wanted = score_images(detector.artifact.scorer, images)
    labels, close = detector.calibration.predict(wanted), CLOSE * np.ptp(wanted)
    pixels = images.take(np.arange(len(images))).numpy()
    per_image_gradients = isinstance(detector.artifact.scorer, GradConScorer)
    for size in (1,) if per_image_gradients else (1, 5, 33):  # OpenVINO 2026.4 errs on these in larger batches
        parts = [model({"images": pixels[i : i + size]}) for i in range(0, len(pixels), size)]
        score, label = (np.concatenate([np.copy(part[key]) for part in parts]) for key in ("pred_score", "pred_label"))
        assert np.abs(score - wanted).max() <= close
        near = np.abs(wanted - detector.threshold_) <= close
        assert near.sum() <= 2
        assert np.array_equal(label[~near], labels[~near])
