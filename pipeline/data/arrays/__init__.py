"""From pixels to a prepared data set: what all data sets share."""
