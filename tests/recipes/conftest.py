"""What the tests of several recipes use."""

import jax.monitoring
import pytest


@pytest.fixture
def compilations():
    """Counts the programs that XLA compiles, by name."""
    names = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(kwargs.get("fun_name", ""))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)
