"""Architectures only: no loss, no training."""
