"""Holds modules against the facts of the papers. Here `models` and `papers` meet, and nowhere below."""

from etude.verify.facts import Check, LayerCheck, cost_of_reduction, layers, parameters

__all__ = ["Check", "LayerCheck", "cost_of_reduction", "layers", "parameters"]
