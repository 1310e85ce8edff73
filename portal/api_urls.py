from django.urls import include, path, re_path

from flags import api_urls as flag_urls
from portal.access.api import urls as access_urls
from portal.approvals import api_urls as approval_urls
from portal.audit.api import urls as audit_urls
from portal.lib.api import docs
from releases.api import urls as release_urls

urlpatterns = [
    path("api/v1/", include(access_urls)),
    path("api/v1/", include(flag_urls)),
    path("api/v1/", include(release_urls)),
    path("api/v1/", include(approval_urls)),
    path("api/v1/", include(audit_urls)),
    path("api/schema/", docs.Schema.as_view(), name="api-schema"),
    path("api/docs/", docs.Docs.as_view(url_name="api-schema"), name="api-docs"),
    re_path(r"^api/v1(?:/[\s\S]*)?$", docs.NoSuchEndpoint.as_view(), name="api-nothing"),
]
