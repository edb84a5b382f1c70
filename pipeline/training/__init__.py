"""Training: packs of trials in worker processes, checkpoints, what the driver shows meanwhile."""
