"""The models of betabench in PyTorch: networks, likelihoods, divergences, families and the training loop."""
