"""Pure tensor functions on batches of images."""
