"""How many nats the codes cost, alone and with the distortion: nats, or (mean, std) -> scores."""
