"""Checks, measured: what telemetry says of a version, and what is asked over the network."""
