"""What several data sets share, and computations that one data set needs."""
