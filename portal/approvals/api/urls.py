"""Addresses of the management API for freezes."""

from django.urls import path

from portal.approvals.api import freezes

urlpatterns = [
    path("projects/<slug:project>/freezes", freezes.FreezeList.as_view(), name="api-freezes"),
]
