"""Where a study's files lie and how they are written: the only room that knows paths."""
