"""How well the images come back: (images, reconstructions) or (distortion) -> scores."""
