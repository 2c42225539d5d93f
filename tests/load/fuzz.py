"""Requests made of the API's own description, and what came of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks

from serving import TOKEN, Server

KEYS = {"Authorization": f"token {TOKEN}"}
ANSWER_S = 30.0
# Negative cases may be right by chance (a header that nobody reads), so whether they
# are refused is left to the tests that are written by hand.
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@schemathesis.serializer("application/offset+octet-stream")
def piece(_context: Any, value: Any) -> bytes:
    """Write what was made up for a piece of an upload."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@dataclass
class Fuzzed:
    """What came of it.

    Attributes
    ----------
    statuses : Counter
        Answers by status.
    grown_bytes : int
        By how much the server grew behind the first tenth.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    grown_bytes: int = 0

    @property
    def faults(self) -> int:
        """Answers that are the server's own fault."""
        return sum(count for code, count in self.statuses.items() if code >= 500)

    def __str__(self) -> str:
        total = sum(self.statuses.values())
        told = ", ".join(f"{code}: {n:,}" for code, n in sorted(self.statuses.items()))
        grown = self.grown_bytes / (1 << 20)
        return f"{total:,} requests ({told}); the server grew by {grown:.1f} MiB"


def described(server: Server, ids: dict[str, str], most: int) -> Fuzzed:
    """Send about ``most`` requests, as many to each operation.

    Raises
    ------
    AssertionError
        With the request, where an answer is not as it is described.
    """
    load_all_checks()
    checks = CHECKS.get_by_names(list(CHECKED))
    schema = schemathesis.openapi.from_dict(server.json("openapi.json"))
    operations = [found.ok() for found in schema.get_all_operations()]
    found, share = Fuzzed(), -(-most // len(operations))
    before = 0
    for number, operation in enumerate(operations):
        _try(server, operation, ids, share, checks, found)
        if number == len(operations) // 10:
            before = server.memory()
    found.grown_bytes = server.memory() - before
    return found


def _try(
    server: Server,
    operation: Any,
    ids: dict[str, str],
    most: int,
    checks: list[Any],
    found: Fuzzed,
) -> None:
    modes = schemathesis.GenerationMode
    cases = st.one_of(
        operation.as_strategy(generation_mode=modes.POSITIVE),
        operation.as_strategy(generation_mode=modes.NEGATIVE),
    )
    known = st.sampled_from([None, *ids.values(), "work", "takes", "twin"])
    if operation.method == "delete":
        known = st.sampled_from([None, ids["queued"]])  # the others are still needed

    @seed(7)
    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases, known)
    def ask(case: Any, name: str | None) -> None:
        if name is not None and case.path_parameters:
            for parameter in ("job", "name"):
                if parameter in case.path_parameters:
                    case.path_parameters[parameter] = name
        _hurry(case)
        if operation.path == "/events":
            found.statuses[_streamed(server, case)] += 1
            return
        answer = case.call(base_url=server.base, headers=KEYS, timeout=ANSWER_S)
        found.statuses[answer.status_code] += 1
        if answer.status_code == 400 and not answer.content:
            return  # no HTTP (a control character in a header): tornado refuses it
        case.validate_response(answer, checks=checks, headers=KEYS)

    ask()


def _hurry(case: Any) -> None:
    """Have nothing waited for."""
    try:
        if 0 < float(case.query["wait"]) <= 60:
            case.query["wait"] = 0.001
    except (KeyError, TypeError, ValueError):
        pass


def _streamed(server: Server, case: Any) -> int:
    """Begin a stream, which would not end by itself."""
    how = case.as_transport_kwargs(base_url=server.base, headers=KEYS)
    with requests.request(**how, stream=True, timeout=ANSWER_S) as answer:
        return answer.status_code
