"""Explanations as the API answers them."""

from datetime import UTC
from typing import Any

from flags.engine import Result, dump_condition
from flags.engine.explaining import Bucket, Explanation, Step
from flags.engine.tracing import Trace
from flags.explained import Explained
from flags.past import Approval, Cause

Document = dict[str, Any]


def explained_document(flag: str, environment: str, found: Explained) -> Document:
    """The answer and the steps; an answer without an evaluation has none."""
    return {
        "flag": flag,
        "environment": environment,
        "status": found.status,
        "answer": dict(found.body),
        "steps": _steps(found.explanation),
    }


def _steps(explanation: Explanation | None) -> list[Document]:
    return [_step(one) for one in explanation.steps] if explanation else []


def _step(step: Step) -> Document:
    return {
        "kind": step.kind,
        "reached": step.reached,
        "rule": step.rule and {"id": step.rule.id, "name": step.rule.name},
        "result": step.result and _result(step.result),
        "condition": step.condition and _trace(step.condition),
        "overrides": [_trace(one) for one in step.overrides],
        "group": step.group and _bucket(step.group),
        "audience": step.audience and _bucket(step.audience),
        "split": step.split and _bucket(step.split),
    }


def _result(result: Result) -> Document:
    return {
        "variant": result.variant,
        "value": result.value,
        "reason": result.reason,
        "error": result.error_details or "",
    }


def _trace(trace: Trace) -> Document:
    return {
        "kind": trace.kind,
        "matched": trace.matched,
        "condition": dump_condition(trace.condition),
        "saw": trace.saw,
        "problem": trace.problem,
        "parts": [_trace(one) for one in trace.parts],
    }


def _bucket(bucket: Bucket) -> Document:
    return {
        "by": list(bucket.by),
        "seed": bucket.seed,
        "unit": bucket.unit,
        "point": bucket.point,
        "total": bucket.total,
        "parts": [{"name": name, "from": start, "to": end} for name, start, end in bucket.parts],
        "chosen": bucket.chosen,
    }


def cause_document(cause: Cause) -> Document:
    """Who made something so, when and why, and who agreed; ``sequence`` is its row's."""
    row = cause.row
    return {
        "kind": cause.kind,
        "key": cause.key,
        "sequence": row.sequence,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "event": row.event,
        "actor": {"kind": row.actor_kind, "name": row.actor},
        "environment": row.environment,
        "reason": row.reason,
        "approval": cause.approval and _approval(cause.approval),
    }


def _approval(approval: Approval) -> Document:
    return {
        "change_request": approval.request,
        "is_emergency": approval.is_emergency,
        "approved_by": list(approval.people),
        "sequence": approval.row.sequence,
    }
