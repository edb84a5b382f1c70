"""A study: params.yaml, grids, trials and their keys, and the arrays and settings of metrics."""
