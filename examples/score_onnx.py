"""Score 8-bit image files with an exported model: python score_onnx.py model.onnx IMAGE ..."""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def pixels(path: str, channels: int, height: int, width: int) -> np.ndarray:
    """An image as (1, C, H, W), read as amiss reads it: upright, on black, grey or colour, resized with LANCZOS."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"{path} has more than 8 bits")
    if image.has_transparency_data:
        image = Image.merge("RGB", image.convert("RGBA").convert("RGBa").split()[:3])
    elif image.mode not in ("L", "RGB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.moveaxis(np.asarray(image).reshape(1, height, width, channels), 3, 1)


session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
spec = json.loads(session.get_modelmeta().custom_metadata_map["amiss.spec"])
print("image_path,pred_score,p_value,pred_label")
for path in sys.argv[2:]:
    found = session.run(["pred_score", "p_value", "pred_label"], {"images": pixels(path, **spec)})
    print(path, *(value[0] for value in found), sep=",")
