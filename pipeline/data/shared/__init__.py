"""What several data sets are made with."""
