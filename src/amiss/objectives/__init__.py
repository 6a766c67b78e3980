"""Equations that return one value per image, (B,): the same function trains and scores."""
