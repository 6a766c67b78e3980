"""What every route needs: the models by name, and which one a request means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from amiss.serve.limits import Limits
from amiss.serve.metrics import Metrics
from amiss.serve.models import Model
from amiss.serve.refusal import RefusedError


@dataclass(eq=False)
class Serving:
    """A server's state."""

    models: Mapping[str, Model]
    limits: Limits
    metrics: Metrics
    ready: bool = False

    def model(self, name: str | None) -> Model:
        """The model of that name, or the only one; raises RefusedError (404, or 400 where one has to be named)."""
        if name is None:
            if len(self.models) == 1:
                return next(iter(self.models.values()))
            raise RefusedError(400, f"name the model, as ?model=NAME; there are {', '.join(self.models)}")
        if name not in self.models:
            raise RefusedError(404, f"there is no model {name[:100]!r}; there are {', '.join(self.models)}")
        return self.models[name]


def serving_of(request: Request) -> Serving:
    """The state of the server that got a request."""
    found: object = request.app.state.serving
    if not isinstance(found, Serving):
        raise TypeError("the application has no models")
    return found


def tell(request: Request, **facts: object) -> None:
    """Add facts to the line that the log gets of a request."""
    request.state.facts.update(facts)
