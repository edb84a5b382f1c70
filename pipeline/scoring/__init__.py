"""Scoring: which scores are requested and kept, and the Ray tasks that compute them."""
