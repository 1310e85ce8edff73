"""What was asked for, read: charts, when a flag was last seen, and where it is in its life."""
