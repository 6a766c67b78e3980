"""From images to a calibrated model: what a fit must not change while it rests, what it does, and what it records."""
