"""Scorers that several methods share: nothing of training."""
