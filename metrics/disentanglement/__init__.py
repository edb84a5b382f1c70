"""How well the codes and the ground-truth factors correspond: (codes, factors, ...) -> scores."""
