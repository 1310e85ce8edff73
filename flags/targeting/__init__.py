"""The targeting editor: a configuration as a form and back, and what the form's buttons do.

Nothing is saved by editing: every button sends the whole form and gets it back rearranged, so
that the browser holds the only copy until someone reviews and saves it.
"""
