from django.db.models import QuerySet

from portal.access.models import Environment, Project
from releases.catalogue.models import Artefact, Service, ServiceSetup


def services_of(project: Project) -> QuerySet[Service]:
    return Service.objects.filter(project=project).select_related("project")


def get_service(project: Project, key: str) -> Service:
    return services_of(project).get(key=key)


def setup_of(service: Service, environment: Environment) -> ServiceSetup | None:
    setups = ServiceSetup.objects.select_related("service__project", "environment")
    return setups.filter(service=service, environment=environment).first()


def artefacts_of(service: Service) -> QuerySet[Artefact]:
    return Artefact.objects.filter(service=service)
