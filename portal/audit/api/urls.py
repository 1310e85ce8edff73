from django.urls import path

from portal.audit.api import events

urlpatterns = [
    path("projects/<slug:project>/history", events.History.as_view(), name="api-history"),
]
