"""The networks: one file a paper, and a registry that answers without importing torch."""
