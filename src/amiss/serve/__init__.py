"""HTTP on model files: image upload, the Open Inference Protocol, health and metrics."""
