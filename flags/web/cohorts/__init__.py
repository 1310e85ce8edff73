"""Pages of segments and exclusion groups."""
