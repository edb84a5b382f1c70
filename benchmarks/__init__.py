"""Side-by-side measurements against peers, each of them one command; README.md says how to run and read them.

They need torch and numpy, and pythae if it is installed. Of the project they use ``vaecore``, the module that
draws dSprites, and a few functions of ``pipeline`` that need nothing but Python.
"""
