"""Bringing files and reading them: downloads, archives, array and image formats."""
