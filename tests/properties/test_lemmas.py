"""
What the kernels rest on, tried on every number of small floating-point formats.

A format has `p` bits of precision, and exponents without end; each operation rounds once, to nearest, ties to even, as
in the kernels, where p is 53. Every constant is written as a function of p that gives the kernel's at 53. What is
computed here is exact in float64, and then rounded. Gappa proves the same for p = 53. docs/design/lemmas.md says what
both show.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.thread_unsafe(reason="pure arithmetic: nothing of pycrust runs")


@pytest.fixture(params=range(4, 9))
def p(request):
    return request.param


@pytest.fixture(params=[*range(4, 9), *(pytest.param(p, marks=pytest.mark.slow) for p in range(9, 17))])
def long(request):
    """Formats for lemmas of one variable, of which all values are soon tried."""
    return request.param


def rounded(x, p):
    """To p bits, ties to even."""
    fraction, exponent = np.frexp(x)
    return np.ldexp(np.rint(np.ldexp(fraction, p)), exponent - p)


def is_double(x, p):
    return rounded(x, p) == x


def floats(p, low, high):
    """All that have p bits, from 2^low to below 2^high, and their negatives."""
    one = np.ldexp(np.arange(2 ** (p - 1), 2**p, dtype=float), 1 - p)
    sizes = np.ldexp(one, np.arange(low, high)[:, None]).ravel()
    return np.concatenate([-sizes, sizes])


def multiples(unit, x):
    return np.rint(x / unit) == x / unit


def fraction(x, low, p):
    """Its p - 1 bits of fraction as an integer, for x in [low, 2 low); NaN for others."""
    return np.where((x >= low) & (x < 2 * low) & is_double(x, p), np.ldexp(x / low - 1, p - 1), np.nan)


# ---- the exact kernel with fused operations (docs/design/block-kernel.md), E = 0 ----------------------------------


def by_fused(x, p):
    """Whether all that the proof says of x holds."""
    g1, g2, g3 = 2.0 ** (3 - p), 2.0 ** (5 - 2 * p), 2.0 ** (6 - 3 * p)
    C1, C2, C3 = 4.0, 3 * g1, 1.5 * g2
    C12 = C1 + C2
    h1 = rounded(x * x + C1, p)
    product = rounded(x * x, p)
    e = rounded(x * x - product, p)
    t = rounded(product - rounded(h1 - C12, p), p)
    h3 = rounded(t + e, p)
    r = rounded(e - rounded(h3 - t, p), p)
    h4 = rounded(r + C3, p)
    q1, q2, q3 = h1 - C1, h3 - C2, h4 - C3
    return (
        (q1 + q2 + q3 == x * x)
        & multiples(g1, q1)
        & multiples(g2, q2)
        & multiples(g3, q3)
        & ((q1 >= 0) & (q1 < 4) & (abs(q2) <= g1 / 2) & (abs(q3) <= g2 / 2))
        & ((h1 < 8) & (h3 >= 2 * g1) & (h3 < 4 * g1) & (h4 >= g2) & (h4 <= 2 * g2))
        & ((t == product - q1 + C2) & (e == x * x - product) & (r == q3))
    )


def test_the_constants_are_those_of_the_kernels():
    p = 53
    assert (3 - p, 5 - 2 * p, 6 - 3 * p) == (-50, -101, -153)
    assert ((p - 4) // 2, p - 4) == (24, 49)  # DEPTH of exact.h


def test_the_exact_kernel(long):
    p, depth = long, (long - 4) // 2
    assert by_fused(floats(p, -depth, 1), p).all()
    assert by_fused(np.zeros(1), p).all()
    assert not by_fused(floats(p, -depth - 1, -depth), p).all()  # one binade too deep
    assert not by_fused(floats(p, 1, 2), p).any()  # too large


# ---- a number in two halves, E = 0 --------------------------------------------------------------------------------


def test_a_number_in_two_halves(long):
    """x = p u + q v, and both stand in the fraction bits of t and w, which integer multiply-add reads."""
    bits = long
    u, v, half = 2.0 ** (3 - bits), 2.0 ** (5 - 2 * bits), 2 ** (bits - 2)

    def hold(x):
        t = rounded(x + 6, bits)
        r = rounded(x - rounded(t - 6, bits), bits)
        w = rounded(r + 3 * u, bits)
        p, q = fraction(t, 4, bits) - half, fraction(w, 2 * u, bits) - half
        return (p * u + q * v == x) & (r == x - (t - 6)) & (abs(r) <= u / 2) & (w == r + 3 * u)

    x = floats(bits, 5 - 2 * bits, 1)
    x = x[(abs(x) <= 2 - u) & multiples(v, x)]
    assert np.isin(floats(bits, 4 - bits, 0), x).all()  # DEPTH of it
    assert hold(x).all()
    assert hold(np.zeros(1)).all()
    below = floats(bits, 3 - bits, 4 - bits)
    assert not hold(below[~multiples(v, below)]).any()
    assert hold(np.array([2 - u])).all() and not hold(np.array([2.0])).any()


# ---- bounded sums (docs/design/bounded.md), C = 1 -------------------------------------------------------------


def starts(p):
    """All of [C, 2C), as a column."""
    return np.ldexp(np.arange(2 ** (p - 1), 2**p, dtype=float), 1 - p)[:, None]


def test_a_bounded_square(p):
    g = 2.0 ** (1 - p)
    s, x = starts(p), floats(p, -p - 3, 1)
    x = x[x > 0]
    h = rounded(x * x + s, p)
    lost = x * x + s - h
    assert (h >= s).all()  # so the last s tells of all
    held = h < 2
    assert held.any() and not held.all()
    assert (held <= (x * x <= 1)).all()
    assert multiples(g, h)[held].all() and is_double(s - h, p)[held].all()
    assert (abs(lost) <= g / 2)[held].all()
    error = abs(rounded(lost, p) - lost)
    assert error[held].max() <= g / 2 ** (p + 2)
    assert error[held].max() > g / 2 ** (p + 3)  # no smaller bound would do


def test_a_bounded_square_without_fused_operations(p):
    g = 2.0 ** (1 - p)
    s, x = starts(p), floats(p, -p - 3, 1)
    x = x[x > 0]
    c = rounded(x * (2.0 ** ((p + 1) // 2) + 1), p)
    high = rounded(c - rounded(c - x, p), p)
    low = rounded(x - high, p)
    product = rounded(x * x, p)
    e = rounded(rounded(high * high, p) - product, p)
    e = rounded(e + rounded(high * rounded(low + low, p), p), p)
    e = rounded(e + rounded(low * low, p), p)
    assert (e == x * x - product).all()  # Dekker's product
    h = rounded(s + product, p)
    held = h < 2
    lost = rounded(rounded(s - h, p) + product, p)
    assert (lost == s - h + product)[held].all()
    both = s - h + x * x
    assert (abs(both) <= 0.75 * g)[held].all()


def test_what_a_bounded_sum_adds_up(p):
    """t grows by at most g/2, and errs by at most i g / 2^(p+1), in its i-th addition; so does b of the sum."""
    g = 2.0 ** (1 - p)
    lost = floats(p, -2 * p - 2, -p)
    lost = np.concatenate([lost, [0, g / 2, -g / 2]])
    t = floats(p, -2 * p - 2, 1)
    t = np.concatenate([t[t > 0], [0]])[:, None]  # a sign for both changes nothing
    i = np.ceil(t / (g / 2)) + 1  # t may be so large after i - 1 additions, at the earliest
    some = (i <= 2**p).ravel()
    t, i = t[some], i[some]
    total = rounded(t + lost, p)
    assert (abs(total) <= i * g / 2).all()
    assert (abs(total - (t + lost)) <= i * g / 2 ** (p + 1)).all()


# ---- sums beside the squares, D = 1.5 -----------------------------------------------------------------------------


def test_a_number_added(p):
    """What a loses is found exactly, as long as a and a + x lie in [2^k', 2^(k'+1)], here [1, 2]."""
    unit = 2.0 ** (1 - p)
    a = np.concatenate([starts(p), [[2.0]]])
    x = floats(p, -2 * p - 2, 1)
    g = rounded(a + x, p)
    held = (a + x >= 1) & (a + x <= 2)
    back = rounded(a - g, p)
    lost = rounded(back + x, p)
    assert (back == a - g)[held].all()
    assert (lost == a - g + x)[held].all()
    assert (abs(lost) <= unit / 2)[held].all() and (abs(lost) == unit / 2)[held].any()
    assert (abs(lost) > unit / 2)[~held].any()


def test_the_sum_stays_where_its_bits_are():
    """|sum of m numbers| <= root(m * sum of squares), which is 2^(k'-1) at most, and by a root of 2 to spare."""
    for k in range(-900, 1001):
        wide = ((k + 2001) >> 1) - 1000 + 7  # number_k of kernels.h
        assert 2 * (wide - 1) >= 11 + k + 1  # m = 2^11: m 2^k * 2 <= 2^(2(k'-1))


# ---- for doubles, by Gappa ----------------------------------------------------------------------------------------

# Each file states lemmas; with this much less in a hypothesis, or more in a claim, they are wrong.
GAPPA = [
    ("bounded.g", "1b-107", "1b-108"),
    ("bounded.g", "1025b-106", "1023b-106"),
    ("fused.g", "[1b-24", "[1b-25"),
    ("halves.g", "@FIX(x, -101)", "@FIX(x, -102)"),
    ("halves.g", "2251799813685247b-50", "2251799813685248b-50"),
    ("moments.g", "@FIX(x, -106)", "@FIX(x, -107)"),
    ("moments.g", "1025b-106", "1023b-106"),
]


@pytest.mark.skipif(not shutil.which("gappa"), reason="no gappa")
@pytest.mark.parametrize("name, true, wrong", GAPPA)
def test_gappa_proves_it(name, true, wrong):
    text = Path(__file__).with_name("proof").joinpath(name).read_text()
    assert text.count(true) == 1
    for stated, status in ((text, 0), (text.replace(true, wrong), 1)):
        assert subprocess.run(["gappa"], input=stated, capture_output=True, text=True).returncode == status
