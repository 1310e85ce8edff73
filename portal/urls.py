"""Where everything is. Composition root: the one place that knows every package's pages."""

from django.urls import include, path

from flags import urls as flag_urls
from portal import health
from portal.access.signin import urls as sign_in_urls
from portal.access.web import urls as access_urls
from portal.approvals import urls as approval_urls
from portal.audit.web import urls as audit_urls
from portal.reports.web import urls as report_urls
from releases.web import urls as release_urls

urlpatterns = [
    path("health", health.health, name="health"),
    path("ready", health.ready, name="ready"),
    path("metrics", health.metrics, name="metrics"),
    path("", include("portal.api_urls")),
    path("", include(sign_in_urls)),
    path("", include(access_urls)),
    path("", include(approval_urls)),
    path("", include(audit_urls)),
    path("", include(report_urls)),
    path("", include(release_urls)),
    path("", include(flag_urls)),
]
handler400 = "portal.lib.errors.bad_request"
handler403 = "portal.lib.errors.permission_denied"
handler404 = "portal.lib.errors.not_found"
handler500 = "portal.lib.errors.server_error"
