"""Keeping what writes were answered, and answering it again, for Idempotency-Key."""

import json
from datetime import datetime
from typing import Final

from django.db import OperationalError, connection, transaction
from rest_framework.response import Response

from portal.access.models import ApiKey, KeptAnswer
from portal.lib import clock
from portal.lib.api.etags import dumps
from portal.lib.api.idempotency import REPLAYED, Respond, Reused, Secretive, StillRunning
from portal.lib.problems import PROBLEM

_HEADERS: Final = ("ETag", "Location", "Retry-After")


def answer_once(key: ApiKey, name: str, digest: str, respond: Respond) -> Response:
    """The answer to a request of this key, which is carried out unless it was before.

    All in one transaction: who is killed before its end has done nothing, and the next one begins
    anew; who comes meanwhile waits for it. Raises Reused and StillRunning.
    """
    now = clock.now()
    with transaction.atomic():
        kept, is_new = _claim(key, name, digest, now)
        if not is_new:
            return _again(kept, digest)
        response = respond()
        if response.status_code >= 500:
            transaction.set_rollback(True)
        else:
            _keep(kept, response)
    return response


def _claim(key: ApiKey, name: str, digest: str, now: datetime) -> tuple[KeptAnswer, bool]:
    """The row of this name, and whether it is ours to fill."""
    KeptAnswer.objects.over(now=now).filter(key=key, name=name).delete()
    try:
        return KeptAnswer.objects.get_or_create(
            key=key, name=name, defaults={"digest": digest, "kept_at": now}
        )
    except OperationalError:
        if connection.vendor != "postgresql":
            raise
        # Whoever has the name has not committed within the lock's timeout.
        raise StillRunning from None


def _keep(kept: KeptAnswer, response: Response) -> None:
    kept.status = response.status_code
    kept.headers = {name: response[name] for name in _HEADERS if name in response}
    document = response.kept if isinstance(response, Secretive) else response.data
    kept.body = "" if document is None else dumps(document)
    kept.save(update_fields=["status", "headers", "body"])


def _again(kept: KeptAnswer, digest: str) -> Response:
    if kept.digest != digest:
        raise Reused
    return Response(
        json.loads(kept.body) if kept.body else None,
        status=kept.status,
        headers=kept.headers | {REPLAYED: "true"},
        content_type=PROBLEM if kept.status >= 400 else None,
    )
