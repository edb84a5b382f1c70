"""The models of betabench: networks, likelihoods, divergences, families and the training loop. PyTorch and nothing else."""
