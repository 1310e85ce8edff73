"""Releases: their rows, what people tell them, and what becomes of them at each tick."""
