"""Services, what is built of them, and how each is released in an environment."""
