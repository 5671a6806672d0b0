"""What several test modules of the protocol share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from roomproof_protocol import ProtocolError, client_types, schema, server_types
from roomproof_protocol.messages import Direction

# A busy machine is slow; that is no finding.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

MESSAGES: list[tuple[Direction, str]] = [
    *(("client", type_) for type_ in client_types()),
    *(("server", type_) for type_ in server_types()),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once per message, example or invalid example, where it asks for one."""
    wanted = {"message_type", "example", "invalid_example"} & set(metafunc.fixturenames)
    if "message_type" in wanted:
        metafunc.parametrize("message_type", MESSAGES, ids="-".join)
    for fixture, keyword in (("example", "examples"), ("invalid_example", "x-invalid-examples")):
        if fixture in wanted:
            cases = [(d, t, n, e) for d, t in MESSAGES for n, e in enumerate(schema(d, t)[keyword])]
            ids = [f"{d}-{t}-{n}" for d, t, n, _ in cases]
            metafunc.parametrize(fixture, [(d, t, e) for d, t, _, e in cases], ids=ids)


@pytest.fixture
def refusal() -> Callable[..., ProtocolError]:
    """Give a function that calls another and gives the ProtocolError it must raise."""

    def refused(call: Callable[..., object], *arguments: object) -> ProtocolError:
        with pytest.raises(ProtocolError) as caught:
            call(*arguments)
        return caught.value

    return refused
