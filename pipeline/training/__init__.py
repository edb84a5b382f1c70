"""Training: trials in worker processes, their checkpoints, and what the driver shows and logs meanwhile."""
