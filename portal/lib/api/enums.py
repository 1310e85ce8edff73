"""What the schema calls the values of fields that several shapes have. Settings read this."""

from typing import Final

ENUM_NAMES: Final = {
    "ActorKindEnum": ["user", "key", "system"],
    "ChangeRequestStateEnum": ["open", "applied", "rejected", "withdrawn"],
    "EnvironmentKindEnum": ["development", "staging", "production"],
    "FlagKindEnum": ["release", "experiment", "operational", "kill_switch", "permission"],
    "InvitationStateEnum": ["open", "accepted", "revoked", "expired"],
    "KeyKindEnum": ["server", "client", "admin"],
    "NewKeyKindEnum": ["server", "client"],
    "ReleaseStateEnum": [
        *("planned", "waiting", "running", "paused", "held", "rolling_back"),
        *("succeeded", "aborted", "rolled_back", "superseded", "failed"),
    ],
}
