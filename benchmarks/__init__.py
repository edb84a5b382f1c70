"""Side-by-side measurements against peers, each one command; README.md says how to run and read them.

They need torch and numpy, and pythae where it is installed. Of the project they know ``vaecore``, and the module that draws dSprites.
"""
