"""Scores to decisions: conformal p-values and thresholds at a false-alarm rate."""
