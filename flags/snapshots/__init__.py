"""From rows to what evaluators hold: documents, and the relay that carries them to Redis."""
