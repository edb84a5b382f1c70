"""Data sets: bringing files, reading formats, preparing arrays. `datasets/` has one file per data set."""
