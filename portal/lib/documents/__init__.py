"""Checked documents: from JSON to values, every problem at once. Pure: neither Django nor flags."""
