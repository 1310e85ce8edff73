from releases.alerts.models import Alert, AlertSource
from releases.catalogue.models import Artefact, Service, ServiceSetup
from releases.core.models import (
    Comparison,
    Measurement,
    Note,
    Release,
    ReleaseGroup,
    StepExecution,
    Termination,
)
from releases.policies.models import PlanTemplate, ReleasePolicy
from releases.telemetry.models import OutcomeBucket, TelemetrySource, UnknownService

__all__ = [
    "Alert",
    "AlertSource",
    "Artefact",
    "Comparison",
    "Measurement",
    "Note",
    "OutcomeBucket",
    "PlanTemplate",
    "Release",
    "ReleaseGroup",
    "ReleasePolicy",
    "Service",
    "ServiceSetup",
    "StepExecution",
    "TelemetrySource",
    "Termination",
    "UnknownService",
]
