"""One paper, one file: hyperparameters, networks, schedule, objective, score."""
