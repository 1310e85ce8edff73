from django.urls import path

from portal.approvals.freezes.web import pages as freezes
from portal.approvals.policies import web as policies
from portal.approvals.web import listing, request_actions, requests, restoring, rights

CHANGES = "p/<slug:project>/changes/"
CHANGE = f"{CHANGES}<int:number>"
FREEZES = "p/<slug:project>/freezes/"
POLICY = "p/<slug:project>/policy/<slug:environment>"

urlpatterns = [
    path(CHANGES, listing.list_requests, name="change-request-list"),
    path(f"{CHANGES}export.csv", listing.export_requests, name="change-request-export"),
    path(f"{CHANGES}waiting", listing.count_waiting, name="change-request-waiting"),
    path(CHANGE, requests.show_request, name="change-request"),
    path(f"{CHANGE}/dialog", requests.ask_request, name="change-request-dialog"),
    path(f"{CHANGE}/vote", request_actions.vote, name="change-request-vote"),
    path(f"{CHANGE}/take-back", request_actions.take_back, name="change-request-take-back"),
    path(f"{CHANGE}/apply", request_actions.apply_now, name="change-request-apply"),
    path(f"{CHANGE}/adopt", request_actions.adopt, name="change-request-adopt"),
    path(f"{CHANGE}/withdraw", request_actions.withdraw, name="change-request-withdraw"),
    path(f"{CHANGE}/renew", request_actions.renew, name="change-request-renew"),
    path(f"{CHANGE}/comment", request_actions.comment, name="change-request-comment"),
    path(f"{CHANGE}/confirm", request_actions.confirm, name="emergency-confirm"),
    path(f"{CHANGE}/revert", request_actions.revert, name="emergency-revert"),
    path(f"{CHANGE}/review", request_actions.review, name="emergency-review"),
    path("p/<slug:project>/emergencies/", listing.list_emergencies, name="emergency-list"),
    path(
        "p/<slug:project>/history/<int:record>/restore",
        restoring.restore_version,
        name="restore-version",
    ),
    path("p/<slug:project>/roles/", rights.list_roles, name="role-list"),
    path("p/<slug:project>/roles/new", rights.create_role, name="role-create"),
    path("p/<slug:project>/roles/<slug:role>/edit", rights.edit_role, name="role-edit"),
    path("p/<slug:project>/roles/<slug:role>/delete", rights.delete_role, name="role-delete"),
    path(
        "p/<slug:project>/access/<slug:environment>/<str:permission>",
        rights.edit_rule,
        name="rule-edit",
    ),
    path(POLICY, policies.show_policy, name="policy"),
    path(f"{POLICY}/review", policies.review_policy, name="policy-review"),
    path(f"{POLICY}/save", policies.save_policy, name="policy-save"),
    path(FREEZES, freezes.list_freezes, name="freeze-list"),
    path(FREEZES + "new", freezes.create_freeze, name="freeze-create"),
    path(FREEZES + "preview", freezes.preview_freeze, name="freeze-preview"),
    path(FREEZES + "calendar.ics", freezes.download_calendar, name="freeze-calendar"),
    path(FREEZES + "<int:freeze>", freezes.edit_freeze, name="freeze-edit"),
    path(FREEZES + "<int:freeze>/cancel", freezes.cancel_freeze, name="freeze-cancel"),
]
