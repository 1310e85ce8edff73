"""Addresses of the management API, its schema and its page."""

from django.urls import include, path, re_path

from flags.api import urls as flag_urls
from portal.access.rest import urls as access_urls
from portal.approvals.api import urls as approval_urls
from portal.audit.api import urls as audit_urls
from portal.lib import api_pages

urlpatterns = [
    path("api/v1/", include(access_urls)),
    path("api/v1/", include(flag_urls)),
    path("api/v1/", include(approval_urls)),
    path("api/v1/", include(audit_urls)),
    path("api/schema/", api_pages.Schema.as_view(), name="api-schema"),
    path("api/docs/", api_pages.Docs.as_view(url_name="api-schema"), name="api-docs"),
    re_path(r"^api/v1(?:/[\s\S]*)?$", api_pages.NoSuchEndpoint.as_view(), name="api-nothing"),
]
