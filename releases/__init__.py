"""Releases: artefacts moved into environments step by step. Built on flags; flags never import it."""
