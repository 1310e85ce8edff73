"""Addresses of reports."""

from django.urls import include, path

from portal.reports.web import pages, rounds

_reports = [
    path("", pages.list_reports, name="report-list"),
    path("recertification/", rounds.show, name="recertification"),
    path("recertification/start", rounds.start, name="recertification-start"),
    path("recertification/sign-off", rounds.sign_off, name="recertification-sign-off"),
    path("recertification/<int:item_id>/confirm", rounds.confirm, name="recertification-confirm"),
    path("recertification/<int:item_id>/revoke", rounds.revoke, name="recertification-revoke"),
    path("recertification.csv", rounds.download, name="recertification-csv"),
    path("<slug:report>/", pages.show_report, name="report"),
    path("<slug:report>.csv", pages.download_report, name="report-csv"),
]
urlpatterns = [path("p/<slug:project>/reports/", include(_reports))]
