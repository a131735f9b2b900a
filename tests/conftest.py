"""Hypothesis profiles, and a fixture that forces every SIMD level in turn.

`pytest --hypothesis-profile=long` tries many more examples.
"""

import pytest
from hypothesis import HealthCheck, settings

import pycrust
from pycrust import _data, _range

settings.register_profile(
    "default",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("long", settings.get_profile("default"), max_examples=3000)
settings.load_profile("default")


def use_level(name):
    for module in (_range, _data):
        module._use_simd(name)


def usable_levels():
    before = pycrust.simd()
    levels = []
    for name in ("portable", "avx2", "avx512"):
        try:
            use_level(name)
        except RuntimeError:
            continue
        levels.append(name)
    use_level(before)
    return levels


@pytest.fixture(params=usable_levels())
def level(request):
    """A SIMD level that this machine can run, in force during the test."""
    before = pycrust.simd()
    use_level(request.param)
    yield request.param
    use_level(before)
