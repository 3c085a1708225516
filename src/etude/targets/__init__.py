"""What a person points at: a registered network, something in a file, something importable, the folder of a run."""
