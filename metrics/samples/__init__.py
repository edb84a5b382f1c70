"""How images that a model makes of draws from its prior compare with real ones: (real, samples) -> scores."""
