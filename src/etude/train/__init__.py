"""Training: a recipe in, a run folder and its numbers out."""
