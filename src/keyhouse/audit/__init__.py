"""Audit events: written in the transaction of the change that they tell of."""

from keyhouse.audit.events import Actor, Origin, list_events, record
from keyhouse.audit.models import AuditEvent

__all__ = ["Actor", "AuditEvent", "Origin", "list_events", "record"]
