"""One file per data set: where it comes from, its options, and how its raw bytes become arrays.

Each module has ``Options`` (what params.yaml may say under ``datasets.<name>``), ``fetch(options, folder)`` and
``prepare(options, folder)``.
"""
