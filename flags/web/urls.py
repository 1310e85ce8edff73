"""Addresses of the flag pages. A flag's key may hold slashes: it comes last, and after a word."""

from django.urls import path

from flags.web import archiving, definition, history, listing, switching
from flags.web.targeting import pages as targeting
from flags.web.targeting import trying

urlpatterns = [
    path("p/<slug:project>/flags/", listing.list_flags, name="flag-list"),
    path("p/<slug:project>/flags/new", definition.create_flag, name="flag-create"),
    path(
        "p/<slug:project>/flag/targeting/<slug:environment>/<path:key>",
        targeting.targeting,
        name="flag-targeting",
    ),
    path(
        "p/<slug:project>/flag/editor/<slug:environment>/<path:key>",
        targeting.edit_form,
        name="flag-editor",
    ),
    path(
        "p/<slug:project>/flag/try/<slug:environment>/<path:key>",
        trying.try_sample,
        name="flag-try",
    ),
    path(
        "p/<slug:project>/flag/review/<slug:environment>/<path:key>",
        targeting.review,
        name="flag-review",
    ),
    path(
        "p/<slug:project>/flag/save/<slug:environment>/<path:key>",
        targeting.save,
        name="flag-save",
    ),
    path(
        "p/<slug:project>/flag/switch/<slug:environment>/<path:key>",
        switching.switch,
        name="flag-switch",
    ),
    path("p/<slug:project>/flag/history/<path:key>", history.flag_history, name="flag-history"),
    path("p/<slug:project>/flag/settings/<path:key>", definition.edit_flag, name="flag-settings"),
    path("p/<slug:project>/flag/archive/<path:key>", archiving.archive, name="flag-archive"),
    path("p/<slug:project>/flag/restore/<path:key>", archiving.restore, name="flag-restore"),
    path("p/<slug:project>/flag/open/<path:key>", targeting.first_environment, name="flag"),
]
