"""Measurements of this machine. ``make bench`` prints every figure that the README quotes."""
