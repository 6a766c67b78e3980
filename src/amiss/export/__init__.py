"""A fitted detector as one ONNX file that decides alike, with the proof inside, and the check of it without torch."""
