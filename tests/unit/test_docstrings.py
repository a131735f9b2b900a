"""The examples in the public docstrings run and are right."""

import doctest
import inspect

import pytest

import pycrust

pytestmark = pytest.mark.thread_unsafe(reason="doctest replaces sys.stdout")


def documented():
    for name in pycrust.__all__:
        thing = getattr(pycrust, name)
        yield name, thing
        if inspect.isclass(thing):
            for member in vars(thing):
                if not member.startswith("_"):
                    yield f"{name}.{member}", getattr(thing, member)


DOCUMENTED = dict(documented())


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples(name):
    thing = DOCUMENTED[name]
    assert thing.__doc__, f"{name} has no docstring"
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(thing), {}, name, None, None)
    if callable(thing) and "." not in name:
        assert test.examples, f"{name} has no example"
    report = []
    results = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert results.failed == 0, "".join(report)
