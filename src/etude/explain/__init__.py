"""Measures any nn.Module: the operators it runs, their shapes, parameters and cost. Knows nothing of papers."""
