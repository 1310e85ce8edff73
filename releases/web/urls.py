from django.urls import path

from releases.web import (
    backtests,
    command_dialogs,
    groups,
    listing,
    live,
    planning,
    policies,
    services,
    setup_form,
    story,
    templates,
)

_RELEASES = "p/<slug:project>/releases/"
_RELEASE = f"{_RELEASES}<int:release>/"
_POLICY = f"{_RELEASES}policies/<slug:policy>/"
_TEMPLATE = f"{_RELEASES}templates/<slug:template>/"
_GROUPS = "p/<slug:project>/release-groups/"
_GROUP = f"{_GROUPS}<int:release_group>/"
_SERVICES = "p/<slug:project>/services/"
_SERVICE = "p/<slug:project>/service/<slug:service>/"

urlpatterns = [
    path(_RELEASES, listing.show_board, name="release-board"),
    path(f"{_RELEASES}line/<slug:environment>", listing.change_line, name="release-line"),
    path(f"{_RELEASES}all", listing.list_releases, name="release-list"),
    path(f"{_RELEASES}export", listing.export_releases, name="release-export"),
    path(f"{_RELEASES}new", planning.new_release, name="release-new"),
    path(f"{_RELEASES}preview", planning.preview_release, name="release-preview"),
    path(
        f"{_RELEASES}of-flag/<slug:environment>/<path:key>",
        live.show_panel,
        name="release-of-flag",
    ),
    path(f"{_RELEASES}policies/", policies.list_policies, name="release-policies"),
    path(f"{_RELEASES}policies/new", policies.create_policy, name="release-policy-create"),
    path(_POLICY, policies.edit_policy, name="release-policy"),
    path(f"{_POLICY}delete", policies.delete_policy, name="release-policy-delete"),
    path(f"{_RELEASES}templates/", templates.list_templates, name="plan-templates"),
    path(f"{_RELEASES}templates/new", templates.create_template, name="plan-template-create"),
    path(_TEMPLATE, templates.edit_template, name="plan-template"),
    path(f"{_TEMPLATE}delete", templates.delete_template, name="plan-template-delete"),
    path(_RELEASE, live.show_release, name="release"),
    path(f"{_RELEASE}measured", live.measured, name="release-measured"),
    path(f"{_RELEASE}note", live.add_note, name="release-note"),
    path(f"{_RELEASE}story", story.show_story, name="release-story"),
    path(f"{_RELEASE}command/<slug:command>", command_dialogs.press, name="release-command"),
    path(f"{_GROUPS}new", groups.new_group, name="release-group-new"),
    path(_GROUP, groups.show_group, name="release-group"),
    path(f"{_GROUP}command/<slug:command>", groups.press, name="release-group-command"),
    path(_SERVICES, services.list_services, name="service-list"),
    path(f"{_SERVICES}new", services.create_service, name="service-create"),
    path(_SERVICE, services.show_service, name="service"),
    path(f"{_SERVICE}edit", services.edit_service, name="service-edit"),
    path(f"{_SERVICE}setup/<slug:environment>", setup_form.edit_setup, name="service-setup"),
    path(
        f"{_SERVICE}backtest/<slug:environment>", backtests.show_backtest, name="service-backtest"
    ),
]
