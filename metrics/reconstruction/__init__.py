"""How well images are reconstructed: (images, reconstructions) or (distortion) -> scores."""
