"""Addresses of segments and exclusion groups. A key may hold slashes: it comes last."""

from django.urls import path

from flags.web.cohorts import groups, saving, segment_editor, segments

_SEGMENT = "p/<slug:project>/segment/"
_LIST = "<slug:which>/<path:key>"
_GROUP = "p/<slug:project>/exclusion-group/"

urlpatterns = [
    path("p/<slug:project>/segments/", segments.list_segments, name="segment-list"),
    path("p/<slug:project>/segments/new", segment_editor.create_segment, name="segment-create"),
    path(_SEGMENT + "open/<path:key>", segments.show_segment, name="segment"),
    path(_SEGMENT + "edit/<path:key>", segment_editor.edit_segment, name="segment-edit"),
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
    path(_GROUP + "save/<path:key>", saving.save_group, name="exclusion-group-save"),
    path(_GROUP + "history/<path:key>", groups.group_history, name="exclusion-group-history"),
    path(_GROUP + "delete/<path:key>", saving.delete_group, name="exclusion-group-delete"),
]
