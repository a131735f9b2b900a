"""The examples in the public docstrings run and are right."""

import doctest
import inspect
import re

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


@pytest.mark.parametrize("name", ["cov", "var_x", "var_y"])
def test_the_warning_of_too_few_pairs_is_said(name):
    total = pycrust.PairAccumulator([1.0], [2.0])
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"):
        getattr(total, name)(1)
    assert "NaN or an infinity with a RuntimeWarning" in " ".join(getattr(total, name).__doc__.split())


@pytest.mark.parametrize(
    "name", ["sumsq", "norm", "rms", "sum", "mean", "var", "std", "nansum", "nanmean", "nanvar", "nanstd"]
)
def test_what_is_given_and_raised_is_said_by_each(name):
    """Who asks for the help of one function is not sent to that of another."""
    text = inspect.getdoc(getattr(pycrust, name))
    for section in ("Parameters", "Raises"):
        said = text.partition(f"{section}\n---")[2].partition("\n\n")[0]
        assert "Error" in said or "workers" in said
        assert not re.search(r"\b[Aa]s (for |in )?`\w+`", said), said
