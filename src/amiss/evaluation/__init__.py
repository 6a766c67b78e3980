"""How well scores separate normal from anomalous images, with intervals."""
