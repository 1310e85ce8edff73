"""What every endpoint of the management API is. Apart from ``api``, which DRF's views import."""

from rest_framework.views import APIView

from portal.lib.api import JSONOnly


class ApiView(APIView):
    """An endpoint of the management API; answers 404 for whatever is not of the key's project."""

    content_negotiation_class = JSONOnly
