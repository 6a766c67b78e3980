"""HTTP on model files: image upload, the Open Inference Protocol, health, metrics, and a page to look at images."""
