"""Claims of a source, the runs that answer them, and the verdict by a rule that was there before the runs."""
