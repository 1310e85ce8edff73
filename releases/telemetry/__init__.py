"""Outcomes of versions and variants, as applications report them: kept in buckets, and read."""
