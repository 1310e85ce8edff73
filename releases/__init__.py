"""Releases: artefacts moved into environments step by step. Flags never import this."""
