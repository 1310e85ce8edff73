from django.urls import path

from portal.reports.web import pages

_REPORTS = "p/<slug:project>/reports/"

urlpatterns = [
    path(_REPORTS + "", pages.list_reports, name="report-list"),
    path(_REPORTS + "recertification/", pages.show_recertification, name="recertification"),
    path(
        _REPORTS + "recertification/start",
        pages.start_recertification,
        name="recertification-start",
    ),
    path(_REPORTS + "recertification/sign-off", pages.sign_off, name="recertification-sign-off"),
    path(
        _REPORTS + "recertification/<int:item_id>/confirm",
        pages.confirm_item,
        name="recertification-confirm",
    ),
    path(
        _REPORTS + "recertification/<int:item_id>/revoke",
        pages.revoke_item,
        name="recertification-revoke",
    ),
    path(
        _REPORTS + "recertification.csv", pages.download_recertification, name="recertification-csv"
    ),
    path(_REPORTS + "<slug:report>/", pages.show_report, name="report"),
    path(_REPORTS + "<slug:report>.csv", pages.download_report, name="report-csv"),
]
