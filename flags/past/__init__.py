"""What somebody got for a flag at an instant, from the history alone.

The definition, the configuration and all that they refer to are rebuilt from what the audit trail
says that they were, compiled as evaluators compile them, and evaluated at that instant. Nothing is
read from the rows of today but key lists, which never change and are named by their digests. What
the history does not tell, because it was purged or is older than this, is not guessed.
"""

from flags.past.causes import Approval, Cause
from flags.past.rebuilding import Answer, answer_at
from flags.past.telling import NotTold

__all__ = ["Answer", "Approval", "Cause", "NotTold", "answer_at"]
