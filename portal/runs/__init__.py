"""Work that becomes due: claim, lease, retry, hold, pause. It knows nothing of what it runs."""
