"""Holds modules against the facts of the papers. Here `models` and `papers` meet, and nowhere below."""
