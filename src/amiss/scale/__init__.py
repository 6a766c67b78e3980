"""Many images and many detectors, on many machines: above the detector, below the command line."""
