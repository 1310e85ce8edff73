"""``make up``: everything Aviary consists of, started and stopped together on one machine."""
