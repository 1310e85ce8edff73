"""The faults, by what is broken. A new module here is found by itself."""
