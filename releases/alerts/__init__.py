"""Alerts in: what an Alertmanager says is firing in an environment."""
