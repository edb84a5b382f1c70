"""What the codes are good for afterwards: (codes, labels, rng) -> scores."""
