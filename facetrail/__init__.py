"""Facetrail: live face recognition over many cameras, on many machines."""

from facetrail import snapshots
from facetrail.events import MatchEvent, subscribe

__all__ = ["MatchEvent", "snapshots", "subscribe"]
