"""Flags for other places: our own documents, and flagd's. Pure: no Django, no database."""
