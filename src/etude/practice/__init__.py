"""Exercises: write the classic blocks, and be told precisely which mistake was made."""
