"""Addresses of reports."""

from django.urls import path

from portal.reports.web import pages, rounds

_REPORTS = "p/<slug:project>/reports/"

urlpatterns = [
    path(_REPORTS + "", pages.list_reports, name="report-list"),
    path(_REPORTS + "recertification/", rounds.show, name="recertification"),
    path(_REPORTS + "recertification/start", rounds.start, name="recertification-start"),
    path(_REPORTS + "recertification/sign-off", rounds.sign_off, name="recertification-sign-off"),
    path(
        _REPORTS + "recertification/<int:item_id>/confirm",
        rounds.confirm,
        name="recertification-confirm",
    ),
    path(
        _REPORTS + "recertification/<int:item_id>/revoke",
        rounds.revoke,
        name="recertification-revoke",
    ),
    path(_REPORTS + "recertification.csv", rounds.download, name="recertification-csv"),
    path(_REPORTS + "<slug:report>/", pages.show_report, name="report"),
    path(_REPORTS + "<slug:report>.csv", pages.download_report, name="report-csv"),
]
