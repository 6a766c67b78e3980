"""An exported file converts to OpenVINO, and decides there as it does here."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from exporting import SPEC, fitted, samples
from test_onnx_files import exported

from amiss.engine.scoring import score_images

pytestmark = pytest.mark.extra("openvino")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "name", ["gradcon", "gradcon_vae", "ama", "arae", "history_ad", "pca", "knn", "kde", "ocsvm", "council"]
)
def test_a_converted_file_decides_alike(name, tmp_path):
    import openvino

    torch.set_num_threads(1)
    detector = fitted(name)
    exported(detector, tmp_path)
    core = openvino.Core()
    model = core.compile_model(core.read_model(tmp_path / "model.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    images = samples(SPEC, "uint8").test
    wanted = score_images(detector.artifact.scorer, images)
    pixels = images.take(np.arange(len(images))).numpy()
    for size in (1, 5, 33):
        parts = [model({"images": pixels[i : i + size]}) for i in range(0, len(pixels), size)]
        found = {
            name: np.concatenate([part[name] for part in parts]) for name in ("pred_score", "p_value", "pred_label")
        }
        near = np.abs(wanted - detector.threshold_) < 1e-4 * np.ptp(wanted)
        assert np.array_equal(found["pred_label"][~near], detector.calibration.predict(wanted)[~near])
