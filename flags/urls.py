"""Addresses of flags, segments and groups. A key may hold slashes: it comes last, after a word."""

from django.urls import path

from flags.core.web import bulk, comparing, definition, listing, naming, rows, usage
from flags.exclusion_groups import web as groups
from flags.explain import web as explain
from flags.preferences import web as preferences_web
from flags.schedules.web import pages as schedules
from flags.segments.web import editor, pages as segments, saving
from flags.targeting import pages as targeting, switching, trying
from flags.transfer import web as exports
from flags.usage import web as usage_web

_SEGMENT = "p/<slug:project>/segment/"
_LIST = "<slug:which>/<path:key>"
_GROUP = "p/<slug:project>/exclusion-group/"

urlpatterns = [
    path("p/<slug:project>/flags/", listing.list_flags, name="flag-list"),
    path("p/<slug:project>/flags/evaluators", rows.evaluators, name="flag-evaluators"),
    path("p/<slug:project>/flags/export", listing.export_flags, name="flag-export"),
    path("p/<slug:project>/flags/files", exports.choose_file, name="flag-files"),
    path("p/<slug:project>/flags/file", exports.download_file, name="flag-file"),
    path("p/<slug:project>/flags/many", bulk.change_many, name="flag-bulk"),
    path("p/<slug:project>/flags/compare", comparing.compare, name="flag-compare"),
    path("p/<slug:project>/flags/naming", naming.naming_rule, name="naming-rule"),
    path(
        "p/<slug:project>/flags/sampling",
        usage_web.context_sampling,
        name="context-sampling",
    ),
    path("p/<slug:project>/flags/views/new", preferences_web.create_view, name="view-create"),
    path("p/<slug:project>/flags/views/<int:view>", preferences_web.edit_view, name="view-edit"),
    path(
        "p/<slug:project>/flags/views/<int:view>/delete",
        preferences_web.delete_view,
        name="view-delete",
    ),
    path("p/<slug:project>/flags/new", definition.create_flag, name="flag-create"),
    path(
        "p/<slug:project>/flags/unknown/<slug:environment>",
        usage.list_unknown,
        name="unknown-flag-list",
    ),
    path(
        "p/<slug:project>/flags/unknown/<slug:environment>/ignore",
        usage.ignore_unknown,
        name="unknown-flag-ignore",
    ),
    path("p/<slug:project>/past/", explain.explain_past, name="past"),
    path("p/<slug:project>/flag/explain/<path:key>", explain.explain, name="flag-explain"),
    path("p/<slug:project>/flag/usage/<path:key>", usage.flag_usage, name="flag-usage"),
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
    path(
        "p/<slug:project>/flag/mark/<slug:environment>/<path:key>",
        rows.flag_mark,
        name="flag-mark",
    ),
    path(
        "p/<slug:project>/flag/timeline/<slug:environment>/<path:key>",
        schedules.timeline,
        name="flag-timeline",
    ),
    path(
        "p/<slug:project>/flag/plan/<slug:environment>/new/<slug:kind>/<path:key>",
        schedules.create_plan,
        name="flag-plan-create",
    ),
    path(
        "p/<slug:project>/flag/plan/<slug:environment>/preview/<slug:kind>/<path:key>",
        schedules.preview_plan,
        name="flag-plan-preview",
    ),
    path(
        "p/<slug:project>/flag/plan/<slug:environment>/<int:plan>/<slug:step>/<path:key>",
        schedules.control_plan,
        name="flag-plan-steer",
    ),
    path("p/<slug:project>/flag/history/<path:key>", definition.flag_history, name="flag-history"),
    path("p/<slug:project>/flag/settings/<path:key>", definition.edit_flag, name="flag-settings"),
    path(
        "p/<slug:project>/flag/copy/<slug:environment>/<path:key>",
        comparing.copy_configuration,
        name="flag-copy",
    ),
    path("p/<slug:project>/flag/clone/<path:key>", comparing.clone_flag, name="flag-clone"),
    path(
        "p/<slug:project>/flag/favourite/<path:key>", preferences_web.favour, name="flag-favourite"
    ),
    path("p/<slug:project>/flag/archive/<path:key>", switching.archive, name="flag-archive"),
    path("p/<slug:project>/flag/restore/<path:key>", switching.restore, name="flag-restore"),
    path("p/<slug:project>/flag/open/<path:key>", targeting.first_environment, name="flag"),
    path("p/<slug:project>/segments/", segments.list_segments, name="segment-list"),
    path("p/<slug:project>/segments/new", editor.create_segment, name="segment-create"),
    path(_SEGMENT + "open/<path:key>", segments.show_segment, name="segment"),
    path(_SEGMENT + "edit/<path:key>", editor.edit_segment, name="segment-edit"),
    path(_SEGMENT + "save/<path:key>", saving.save_segment, name="segment-save"),
    path(_SEGMENT + "test/<path:key>", segments.test_key, name="segment-test"),
    path(_SEGMENT + "history/<path:key>", segments.segment_history, name="segment-history"),
    path(_SEGMENT + "delete/<path:key>", saving.delete_segment, name="segment-delete"),
    path(_SEGMENT + "keys/" + _LIST, segments.show_keys, name="segment-keys"),
    path(_SEGMENT + "csv/" + _LIST, segments.download_keys, name="segment-csv"),
    path(_SEGMENT + "change/" + _LIST, segments.review_keys, name="segment-change"),
    path("p/<slug:project>/exclusion-groups/", groups.list_groups, name="exclusion-group-list"),
    path(
        "p/<slug:project>/exclusion-groups/new", groups.create_group, name="exclusion-group-create"
    ),
    path(_GROUP + "open/<path:key>", groups.show_group, name="exclusion-group"),
    path(_GROUP + "review/<path:key>", groups.review_group, name="exclusion-group-review"),
    path(_GROUP + "save/<path:key>", groups.save_group, name="exclusion-group-save"),
    path(_GROUP + "history/<path:key>", groups.group_history, name="exclusion-group-history"),
    path(_GROUP + "delete/<path:key>", groups.delete_group, name="exclusion-group-delete"),
]
