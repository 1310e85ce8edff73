"""The timeline of a flag in one environment, and the dialogs of its plans."""
