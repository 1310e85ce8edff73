"""Addresses of policies and change requests."""

from django.urls import path

from portal.approvals.web import policies, requests

urlpatterns = [
    path("p/<slug:project>/changes/", requests.list_requests, name="change-request-list"),
    path("p/<slug:project>/changes/<int:number>", requests.show_request, name="change-request"),
    path("p/<slug:project>/policy/<slug:environment>", policies.show_policy, name="policy"),
]
