"""Unleash's toggles (``GET /api/client/features``, versions 1 and 2), with the same answers.

A toggle becomes a boolean flag: its value is ``isEnabled``, its variant's name that of
``getVariant``, ``disabled`` where there is none; ``metadata.enabled``, ``metadata.payload`` and
``metadata.payloadType`` say the rest. Contexts are flat: the properties stand beside ``userId``,
``sessionId``, ``environment``, ``appName``, ``remoteAddress`` and ``currentTime``. OpenFeature's
``targetingKey`` stands in for a missing ``userId``.

The reference is Unleash/client-specification and, where it says nothing, Unleash/yggdrasil. Known
to differ, in contexts that no SDK sends or in which the SDKs differ from each other:

- an empty ``userId`` is nobody, as in most SDKs; the newer ones bucket the empty text;
- a time without an offset is UTC here and no time there;
- ignoring case, "ß" is "ss" here; ``\\d`` in a pattern means ASCII digits only.
"""

from flags.transfer.importers.unleash.file import read

__all__ = ["read"]
