"""How many nats the codes cost, alone and together with the distortion: (mean, std) or (distortion, rate) -> scores."""
