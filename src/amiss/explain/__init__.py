"""Where and why an image is anomalous: maps (B, H, W) of any scorer, and the normal images beside it."""
