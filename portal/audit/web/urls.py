"""Addresses of the history. The number of a row is a permanent address."""

from django.urls import path

from portal.audit.web import pages

urlpatterns = [
    path("p/<slug:project>/history/", pages.project_list, name="history"),
    path("p/<slug:project>/history/export", pages.project_export, name="history-export"),
    path("p/<slug:project>/history/<int:sequence>", pages.project_event, name="history-event"),
    path("history/", pages.site_list, name="site-history"),
    path("history/export", pages.site_export, name="site-history-export"),
    path("history/<int:sequence>", pages.site_event, name="site-history-event"),
]
