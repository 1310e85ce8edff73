"""Groups of releases, as people plan and command them; the lockstep itself is the core's."""
