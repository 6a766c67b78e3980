"""One safe file that holds a calibrated scorer."""
