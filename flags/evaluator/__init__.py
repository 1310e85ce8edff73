"""The evaluator: answers applications from memory, and follows Redis in the background.

It imports neither Django nor a database driver. Requests never wait for anything but their own
body: ``follower`` keeps ``memory`` up to date, ``app`` answers from it.
"""
