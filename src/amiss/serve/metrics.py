"""What Prometheus is told, in a registry of the server's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from amiss.calibration.table import ScoreTable
from amiss.serve.models import Model

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counts requests, images and alarms, and reads queues and drift off the models when it is asked."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = self._counter("requests", "Requests answered.", ("route", "method", "status"))
        self.seconds = self._histogram(
            "request_seconds", "Seconds from a request's first byte to its answer.", ("route",), SECONDS
        )
        self.images = self._counter("images", "Images scored and answered.", ("model",))
        self.alarms = self._counter("alarms", "Images labelled anomalous.", ("model",))
        self.batch = self._histogram("batch_images", "Images scored at once.", ("model",), SIZES)
        self.batch_seconds = self._histogram("batch_seconds", "Seconds of scoring one batch.", ("model",), SECONDS)

    def _counter(self, name: str, told: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"amiss_{name}", told, labels, registry=self.registry)

    def _histogram(self, name: str, told: str, labels: tuple[str, ...], bounds: tuple[float, ...]) -> Histogram:
        return Histogram(f"amiss_{name}", told, labels, buckets=bounds, registry=self.registry)

    def watch(self, models: Mapping[str, Model]) -> None:
        """Begin to tell of these models."""
        self.registry.register(_OfModels(models))
        for name in models:  # so that rates are known from the first image on
            self.images.labels(name), self.alarms.labels(name)

    def scored(self, model: str, images: int, seconds: float) -> None:
        """Count one batch."""
        self.batch.labels(model).observe(images)
        self.batch_seconds.labels(model).observe(seconds)

    def answered(self, model: str, table: ScoreTable) -> None:
        """Count the images of one answer."""
        self.images.labels(model).inc(len(table))
        if table.pred_label is not None:
            self.alarms.labels(model).inc(int(table.pred_label.sum()))

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)


class _OfModels(Collector):
    """What a model knows itself."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self.models = models

    def collect(self) -> Iterable[Metric]:
        """Gauges and counters, a sample for each model."""
        held = GaugeMetricFamily("amiss_queue_images", "Images accepted and not yet answered.", labels=["model"])
        most = GaugeMetricFamily("amiss_queue_limit_images", "Images that may be under way.", labels=["model"])
        drift = GaugeMetricFamily(
            "amiss_drift_p_value", "Of the last test of recent scores; none yet is 1.", labels=["model"]
        )
        drifted = GaugeMetricFamily("amiss_drifted", "1 if the last test was at most its level.", labels=["model"])
        tests = CounterMetricFamily("amiss_drift_tests", "Tests of recent scores.", labels=["model"])
        loads = CounterMetricFamily("amiss_model_reloads", "Replaced model files.", labels=["model", "outcome"])
        for name, model in self.models.items():
            state = model.current.rolling.state()
            held.add_metric([name], model.held)
            most.add_metric([name], model.limits.queue)
            drift.add_metric([name], 1.0 if state.p_value is None else state.p_value)
            drifted.add_metric([name], int(state.drifted))
            tests.add_metric([name], state.tests)
            loads.add_metric([name, "loaded"], model.reloads)
            loads.add_metric([name, "refused"], model.failures)
        return [held, most, drift, drifted, tests, loads]
