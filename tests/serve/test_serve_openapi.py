"""/openapi.json is what the server does: schemathesis asks what it allows, and what it does not."""

from __future__ import annotations

import hypothesis
import pytest

pytest.importorskip("httpx", reason='needs the extra: pip install "amiss[serve-test]"')
schemathesis = pytest.importorskip("schemathesis", reason='needs the extra: pip install "amiss[serve-test]"')

pytestmark = [pytest.mark.extra("serve"), pytest.mark.xdist_group("serve")]


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_answers_are_those_that_the_description_lists(server, mode):
    from schemathesis.checks import not_a_server_error
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi import checks

    kept = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    schema = schemathesis.openapi.from_url(f"{server.address}/openapi.json")
    asked: dict[str, set[int]] = {}
    for operation in (found.ok() for found in schema.get_all_operations()):
        if mode == "NEGATIVE" and operation.method != "post":  # nothing can be wrong about a name in a path
            continue

        @hypothesis.settings(
            max_examples=10,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(operation.as_strategy(generation_mode=GenerationMode[mode]))
        def ask(case):
            answer = case.call(timeout=20)
            asked.setdefault(case.operation.label, set()).add(answer.status_code)
            case.validate_response(answer, checks=kept)

        ask()
    assert {"POST /score", "POST /explain", "POST /v2/models/{name}/infer"} <= set(asked)
    if mode == "POSITIVE":
        assert len(asked) >= 10
        assert asked["GET /models"] == {200}
