"""The seven lessons, a page each in two languages; and the same as notebooks."""
