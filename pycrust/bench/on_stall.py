"""
What `pycrust.bench.stalls` can do with each stall as it ends: ``stalls(on_stall=to_logging())``.

The packages that they write to are imported when they are asked for, and are no dependencies.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from pycrust.bench.stall import Stall

SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # limits of the classes of a histogram


def to_logging(logger: logging.Logger | None = None, level: int = logging.WARNING) -> Callable[[Stall], None]:
    """
    Log a record for each stall.

    Parameters
    ----------
    logger : logging.Logger, optional
        ``logging.getLogger("pycrust.stalls")`` if none is given.
    level : int, optional

    Returns
    -------
    callable
        For `on_stall`. The record has the attribute ``stall``, a dict of numbers and strings, for formatters that write JSON.

    Examples
    --------
    >>> import pycrust
    >>> from pycrust.bench import stalls
    >>> from pycrust.bench.on_stall import to_logging
    >>> with stalls(over=0.1, on_stall=to_logging()):
    ...     total = pycrust.sum_of_squares(10**6)
    """
    chosen = logger or logging.getLogger("pycrust.stalls")

    def log(stall: Stall) -> None:
        place = stall.caller or stall.place
        chosen.log(
            level, "stall of %.0f ms: %s", 1e3 * stall.seconds, f"{stall.label} at {place}" if place else stall.label,
            extra={"stall": stall.to_dict()},
        )  # fmt: skip

    return log


def to_prometheus(registry: Any = None) -> Callable[[Stall], None]:
    """
    Count the stalls, and their seconds, for Prometheus: ``gil_stalls_total`` and ``gil_stall_seconds``, by cause.

    Parameters
    ----------
    registry : prometheus_client.CollectorRegistry, optional
        The package's own if none is given. It takes these names once: keep what is returned.

    Returns
    -------
    callable
        For `on_stall`.

    Raises
    ------
    ImportError
        If prometheus_client is not installed.
    """
    import prometheus_client

    where = {} if registry is None else {"registry": registry}
    count = prometheus_client.Counter("gil_stalls", "Waits for the GIL", ["cause"], **where)
    seconds = prometheus_client.Histogram(
        "gil_stall_seconds", "How long one thread kept the GIL, or others waited for it", ["cause"], buckets=SECONDS,
        **where,
    )  # fmt: skip

    def observe(stall: Stall) -> None:
        count.labels(stall.label).inc()
        seconds.labels(stall.label).observe(stall.seconds)

    return observe


def to_opentelemetry(tracer: Any = None) -> Callable[[Stall], None]:
    """
    Make a span of each stall, ``gil stall``: as long as the stall, but some milliseconds late, since it ends when the stall is told.

    Its attributes are ``gil.cause``, ``thread.name``, and for a known line ``code.filepath``, ``code.lineno`` and ``code.function``.

    Parameters
    ----------
    tracer : opentelemetry.trace.Tracer, optional
        ``opentelemetry.trace.get_tracer("pycrust")`` if none is given.

    Returns
    -------
    callable
        For `on_stall`.

    Raises
    ------
    ImportError
        If opentelemetry is not installed.
    """
    if tracer is None:
        from opentelemetry import trace

        tracer = trace.get_tracer("pycrust")

    def span(stall: Stall) -> None:
        end = time.time_ns()
        place = stall.caller or stall.place
        attributes: dict[str, str | int] = {"gil.cause": stall.label, "thread.name": stall.thread}
        if place is not None:
            attributes |= {"code.filepath": place.file, "code.lineno": place.line, "code.function": place.function}
        begin = end - round(1e9 * stall.seconds)
        tracer.start_span("gil stall", attributes=attributes, start_time=begin).end(end_time=end)

    return span
