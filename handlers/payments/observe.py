"""One log line and one set of metrics a request, by AWS Lambda Powertools. Neither holds any of the body."""

import time
import traceback
from typing import IO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from .config import Config
from .service import CONFLICT

RECORDED = "PaymentsAccepted"
TESTED = "TestPayments"
"""Payments of canaries and drills, accepted or replayed: they count as none of the others."""
FAILOVER = "FailoverSeen"
"""Signs by which this region sees that clients are led here from the other one: payments of customers who
were moved here from the primary region; and, also while no customer pays, each time that a health checker is
told that the other region is evacuated, and not for a drill."""
REPLAYED = "PaymentsReplayed"
REFUSED = "PaymentsRefused"
FAILED = "RequestsFailed"
UNAVAILABLE = "DependencyUnavailable"
LATENCY = "RequestLatency"


class Observer:
    """Collects what is known of the request at hand, and says it all at its end.

    Args:
        stream: where the log goes; standard output, which Lambda sends to CloudWatch, when it is None.
    """

    def __init__(self, config: Config, stream: IO[str] | None = None) -> None:
        self._logger = Logger(
            service=config.service, level=config.log_level, stream=stream, utc=True, use_rfc3339=True
        )
        self._logger.append_keys(environment=config.environment, region=config.region)
        self._metrics = EphemeralMetrics(namespace=config.metrics_namespace, service=config.service)
        self._metrics.set_default_dimensions(environment=config.environment, region=config.region)
        self._fields: dict[str, object] = {}
        self._left_out = False
        self._started = time.perf_counter()

    def begin(self, correlation_id: str) -> None:
        """Forget the request before; start the watch."""
        self._fields = {"correlation_id": correlation_id}
        self._left_out = False
        self._metrics.clear_metrics()
        self._started = time.perf_counter()

    def note(self, **fields: object) -> None:
        """Add to the request's log line."""
        self._fields.update(fields)

    def leave_out(self) -> None:
        """Write no log line and no metrics for this request: a health checker got its usual answer.

        Checkers ask all the time, and each line and metric costs money.
        """
        self._left_out = True

    def count(self, event: str) -> None:
        """Add one to a metric, and name the event in the log line."""
        self._metrics.add_metric(name=event, unit=MetricUnit.Count, value=1)
        self._fields["events"] = (*self._events(), event)

    def bug(self, error: BaseException) -> None:
        """Note where an unexpected exception came from. Its message may quote the body and is left out."""
        frames = traceback.extract_tb(error.__traceback__)
        self.note(
            exception=type(error).__name__, frames=[f"{f.filename}:{f.lineno} {f.name}" for f in frames]
        )

    def conflict(self, payment_id: str) -> None:
        """Tell the operators of a key that two regions gave to different bodies."""
        self.count(CONFLICT)
        self._logger.error("conflict", extra={"payment_id": payment_id})

    def tell(self, message: str, **fields: str) -> None:
        """Tell the operators of something that they must look at."""
        self._logger.error(message, extra=fields)

    def flush(self) -> None:
        """Write the metrics, if there are any."""
        if self._metrics.metric_set:
            self._metrics.flush_metrics()

    def end(self, status: int) -> None:
        """Write the log line and the metrics, unless the request is left out."""
        if self._left_out:
            return
        elapsed_ms = (time.perf_counter() - self._started) * 1000
        self._metrics.add_metric(name=LATENCY, unit=MetricUnit.Milliseconds, value=elapsed_ms)
        line = {**self._fields, "status": status, "duration_ms": round(elapsed_ms, 3)}
        log = self._logger.error if status >= 500 else self._logger.info
        log("request", extra=line)
        self.flush()

    def _events(self) -> tuple[str, ...]:
        events = self._fields.get("events", ())
        return events if isinstance(events, tuple) else ()
