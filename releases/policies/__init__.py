"""What a project wants of its releases: policies, and the plan templates that they may require."""
