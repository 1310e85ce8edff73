"""For load balancers and monitoring: is it alive, can it work, how is it doing."""

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from portal.access.models import Environment


@require_safe
@login_not_required
def health(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers; what it depends on is told, not judged."""
    return JsonResponse({"status": "ok", "database": _database_state()})


@require_safe
@login_not_required
def ready(request: HttpRequest) -> HttpResponse:
    """200 when pages can be served, which takes the database; 503 otherwise."""
    state = _database_state()
    return JsonResponse({"database": state}, status=200 if state == "ok" else 503)


@require_safe
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text format."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _database_state() -> str:
    try:
        connection.ensure_connection()
        Environment.objects.exists()
    except DatabaseError:
        return "unavailable"
    return "ok"
