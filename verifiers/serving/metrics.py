"""What Prometheus reads. Labels take few values: routes, statuses, verifiers that are served, outcomes, causes."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

__all__ = ["CONTENT_TYPE", "Metrics"]

# The text format 0.0.4, which is what `generate_latest` writes; newer names of it are for newer scrapers only.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """The counters of one server, in a registry of its own.

    Args:
        queued: says how many items wait.
        in_flight: says how many are being judged.
    """

    def __init__(self, queued: Callable[[], float], in_flight: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "proofgrad_requests", "Requests answered.", ["route", "status"], registry=self._registry
        )
        self.verdicts = Counter(
            "proofgrad_verdicts", "Verdicts given.", ["verifier", "outcome"], registry=self._registry
        )
        self.rejected = Counter(
            "proofgrad_rejected", "Requests refused before any judging.", ["cause"], registry=self._registry
        )
        self.judging = Histogram(
            "proofgrad_judging_seconds",
            "From handing an item to the pool to its verdict.",
            ["verifier"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        Gauge("proofgrad_queue_length", "Items that wait.", registry=self._registry).set_function(queued)
        Gauge("proofgrad_in_flight", "Items being judged.", registry=self._registry).set_function(in_flight)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)
