"""Makers of hard inputs: perturbed images, latents off the typical set, the generator's history."""
