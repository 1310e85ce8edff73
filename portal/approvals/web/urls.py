"""Addresses of policies and change requests."""

from django.urls import path

from portal.approvals.web import freezes, policies, requests

_FREEZES = "p/<slug:project>/freezes/"

urlpatterns = [
    path("p/<slug:project>/changes/", requests.list_requests, name="change-request-list"),
    path("p/<slug:project>/changes/<int:number>", requests.show_request, name="change-request"),
    path("p/<slug:project>/policy/<slug:environment>", policies.show_policy, name="policy"),
    path(_FREEZES, freezes.list_freezes, name="freeze-list"),
    path(_FREEZES + "new", freezes.create_freeze, name="freeze-create"),
    path(_FREEZES + "preview", freezes.preview_freeze, name="freeze-preview"),
    path(_FREEZES + "calendar.ics", freezes.download_calendar, name="freeze-calendar"),
    path(_FREEZES + "<int:freeze>", freezes.edit_freeze, name="freeze-edit"),
    path(_FREEZES + "<int:freeze>/cancel", freezes.cancel_freeze, name="freeze-cancel"),
]
