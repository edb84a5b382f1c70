"""One file per data set: its source, its options, and how its raw files become arrays.

``pipeline/data/arrays/dataset.py`` describes the four names that each module defines: ``ABOUT``, ``Options``,
``fetch`` and ``prepare``. A module imports no other one; what several share is in ``pipeline/data/shared/``.
"""
