"""
Statistics of two variables: ratios of exact sums, in Python ints.

A Number is integer * 2**exponent. Where sums have error bounds, both ends of what they may be are rounded.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from pycrust._bigint import FLOAT64, lowest_terms, quotient, shown

Number: TypeAlias = tuple[int, int]


def plus(one: Number, other: Number) -> Number:
    """The sum of two numbers."""
    unit = min(one[1], other[1])
    return (one[0] << one[1] - unit) + (other[0] << other[1] - unit), unit


def minus(one: Number, other: Number) -> Number:
    """The difference of two numbers."""
    return plus(one, (-other[0], other[1]))


def times(one: Number, other: Number) -> Number:
    """The product of two numbers."""
    return one[0] * other[0], one[1] + other[1]


def ratio(one: Number, other: Number, root: bool = False) -> float:
    """The float nearest to one / other, other > 0, or to the root of that."""
    return quotient(one[0], one[1] - other[1], other[0], root)


def weighted_mean(products: Number, weights: Number) -> float:
    """products / weights, where 0 has the sign of the weights, as in IEEE division."""
    if products[0] == 0:
        return 0.0 if weights[0] > 0 else -0.0
    sign = 1 if weights[0] > 0 else -1
    return ratio((sign * products[0], products[1]), (sign * weights[0], weights[1]))


# ---- covariances of vectors whose sums may have error bounds ---------------------


class Moment(NamedTuple):
    """A sum of numbers or products: within `error` of `total`, both in units of 2**exponent; exact if error is 0."""

    total: int
    error: int = 0
    exponent: int = 0


class Ends(NamedTuple):
    """What a number may be: from `low` to `high`, in units of 2**exponent."""

    low: int
    high: int
    exponent: int


# Ends of the real part, and of the imaginary part if there is one; None: NaN or Inf is among the numbers; False: the
# sums are inconclusive.
Difference: TypeAlias = list[Ends] | Literal[False] | None


def ends(numbers: list[Number]) -> list[Ends]:
    """Those of numbers that are exact."""
    return [Ends(number, number, exponent) for number, exponent in numbers]


def scaled_difference(count: int, products: Moment, factors: list[tuple[int, Moment, Moment]]) -> Ends:
    """Ends of count * products - sum(sign * x * y); `factors` has (sign, x, y), the sums of numbers."""
    exponent = min(products.exponent, *(x.exponent + y.exponent for _, x, y in factors))
    total = count * products.total << products.exponent - exponent
    error = count * products.error << products.exponent - exponent
    for sign, x, y in factors:
        shift = x.exponent + y.exponent - exponent
        total -= sign * x.total * y.total << shift
        if x.error or y.error:
            error += abs(x.total) * y.error + abs(y.total) * x.error + x.error * y.error << shift
    return Ends(total - error, total + error, exponent)


def covariance_ddof(ddof: float | None, bias: bool) -> int:
    """The ddof of cov, from NumPy's two arguments for it."""
    if ddof is None:
        return 0 if bias else 1
    try:
        whole = math.floor(ddof)
    except TypeError:
        raise TypeError(f"ddof must be an integer, not {shown(ddof)}") from None
    except (ValueError, OverflowError):  # NaN, Inf
        whole = None
    if whole != ddof:
        raise ValueError("ddof must be integer")
    return whole


def covariance(difference: Difference, own: bool, count: int, freedom: int, type: int = FLOAT64) -> complex | None:
    """The difference divided by count * freedom; None if that is inconclusive. `own`: a variance."""
    if difference is False:
        return None
    if difference is None:
        return complex(math.nan, math.nan)
    made = []
    for low, high, exponent in difference:
        if own:  # not below zero, even if another thread changed the numbers on the way
            low, high = max(low, 0), max(high, 0)
        if freedom <= 0:
            if low != high and not (low > 0 or high < 0):
                return None
            made.append(math.nan if low == high == 0 else math.inf if low > 0 else -math.inf)
            continue
        lower = upper = quotient(low, exponent, count * freedom, False, type)
        if low != high:
            upper = quotient(high, exponent, count * freedom, False, type)
        if lower != upper or low < 0 < high:
            return None
        made.append(lower)
    return complex(*made)


def correlation(
    cross: Difference, of_x: Difference, of_y: Difference, same: bool = False, type: int = FLOAT64
) -> complex | None:
    """The difference of x and y divided by the root of their own; None if that is inconclusive."""
    if cross is False or of_x is False or of_y is False:
        return None
    if cross is None or of_x is None or of_y is None:
        return complex(math.nan, math.nan)
    x, y = of_x[0], of_y[0]
    if x.high <= 0 or y.high <= 0:  # below zero: another thread changed the numbers on the way
        return complex(math.nan, math.nan)
    if x.low <= 0 or y.low <= 0:
        return None
    if same:
        return 1 + 0j
    most, least, exponent = x.high * y.high, x.low * y.low, x.exponent + y.exponent
    made = []
    for low, high, of_cross in cross:
        negative = high < 0
        if negative:
            low, high = -high, -low
        if low < 0:
            return None
        lower = upper = min(quotient(low * low, 2 * of_cross - exponent, most, True, type), 1.0)
        if low != high or least != most:
            upper = min(quotient(high * high, 2 * of_cross - exponent, least, True, type), 1.0)
        if lower != upper:
            return None
        made.append(-lower if negative else lower)
    return complex(*made)


# ---- pairs that come in pieces ---------------------------------------------------

# The sums of x, y, |x|**2, |y|**2 and x * y; and of complex numbers: the imaginary parts of those of x and y, both parts
# of that of x * conj(y), and the imaginary part of that of x * y. IX - X = IY - Y = IXY - XY.
X, Y, XX, YY, XY, IX, IY, CROSS, ICROSS, IXY = range(10)
FLAGGED = X, Y, XY, IX, IY, IXY
NAN = complex(math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class PairSums:
    """The exact sums of pairs (x, y), and the statistics that follow from them: complex where the numbers are."""

    count: int = 0
    nonfinite: int = 0  # three bits for each sum of FLAGGED: what is not finite in it
    sums: tuple[Number, ...] = ((0, 0),) * 5  # all exponents <= 0
    floats: bool = False  # whether any floats were added: the sums of integers are ints
    complexes: int = 0  # which are complex: 1: x, 2: y, 3: both; then there are ten sums

    def merged(self, other: "PairSums") -> "PairSums":
        """The sums of the pairs of both."""
        alike = len(self.sums) == len(other.sums)
        sums = (self.sums, other.sums) if alike else (self.complex_sums(), other.complex_sums())
        return PairSums(
            self.count + other.count,
            self.nonfinite | other.nonfinite,
            tuple(map(plus, *sums)),
            self.floats or other.floats,
            self.complexes | other.complexes,
        )

    def complex_sums(self) -> tuple[Number, ...]:
        """All ten."""
        return self.sums if self.complexes else (*self.sums, (0, 0), (0, 0), self.sums[XY], (0, 0), (0, 0))

    def as_state(self) -> dict[str, object]:
        """What a pickle holds: equal sums give the same."""
        sums = tuple(map(lowest_terms, self.sums))
        state = {"version": 1, "count": self.count, "special": self.nonfinite, "floats": self.floats, "sums": sums}
        return state | {"version": 2, "complex": self.complexes} if self.complexes else state

    @classmethod
    def of_state(cls, state: Any) -> "PairSums":
        """The same, from a pickle, checked."""
        try:
            complexes = state["complex"] if state["version"] == 2 else 0
            made = cls(state["count"], state["special"], tuple(map(tuple, state["sums"])), state["floats"], complexes)
            if state["version"] == (2 if complexes else 1) and type(state["floats"]) is bool and made.is_possible():
                return made
        except (TypeError, KeyError, ValueError):
            pass
        raise ValueError("this is not the state of a PairAccumulator that this version of pycrust can read")

    def is_possible(self) -> bool:
        """Whether these are sums, and some pairs have them."""
        ints = self.count, self.nonfinite, self.complexes, *(each for number in self.sums for each in number)
        if (
            {type(each) for each in ints} != {int}
            or self.complexes & ~3
            or len(self.sums) != (10 if self.complexes else 5)
        ):
            return False
        flags = 0o777777 if self.complexes else 0o777
        if not (self.count >= 0 and 0 <= self.nonfinite <= flags and all(-2200 <= each <= 0 for _, each in self.sums)):
            return False
        if self.count == 0 and (self.nonfinite or any(each for each, _ in self.sums)):
            return False
        if not self.floats and (
            self.nonfinite or self.complexes or any(each & (1 << -exponent) - 1 for each, exponent in self.sums)
        ):
            return False
        if self.complexes and any(self.sums[IX + k][0] and not self.complexes >> k & 1 for k in (X, Y)):
            return False
        (xx,), (yy,), xy = self.centered(X, X), self.centered(Y, Y), self.centered(X, Y)
        if xx[0] < 0 or yy[0] < 0:
            return False
        rest = times(xx, yy)
        for part in xy:
            rest = minus(rest, times(part, part))
        return rest[0] >= 0  # by Cauchy-Schwarz

    def special(self, which: int) -> float | None:
        """NaN or an infinity for a sum of FLAGGED; None if it is finite."""
        flags = self.nonfinite >> 3 * FLAGGED.index(which) & 7
        return None if not flags else math.inf if flags == 1 else -math.inf if flags == 2 else math.nan

    def centered(self, one: int, other: int) -> list[Number]:
        """count**2 times the covariance of x and y, complex numbers as two parts; or times the variance of one."""
        products = XX + one if one == other else CROSS if self.complexes else XY
        x, y, count = self.sums[one], self.sums[other], (self.count, 0)
        real = minus(times(count, self.sums[products]), times(x, y))
        if not self.complexes:
            return [real]
        ix, iy = self.sums[IX + one], self.sums[IX + other]
        imaginary = minus(times(count, self.sums[ICROSS]), minus(times(ix, y), times(x, iy)))
        return [minus(real, times(ix, iy)), *([] if one == other else [imaginary])]

    def of_kind(self, made: complex) -> complex:
        """A float, unless there are complex numbers."""
        return made if self.complexes else made.real

    def rounded(self, which: int, divisor: Number, complexes: int) -> complex:
        """A sum of FLAGGED divided by a number, also that of the imaginary parts if they are complex."""
        special = self.special(which)
        if special is None:
            made = weighted_mean(self.sums[which], divisor)
        else:
            made = special if divisor[0] > 0 else -special
        return complex(made, self.rounded(which + IX, divisor, 0).real) if complexes else made

    def dot(self) -> complex:
        """The sum of the products: an int as long as only integers were added."""
        if not self.floats:
            integer, exponent = self.sums[XY]
            return integer >> -exponent
        return self.rounded(XY, (1, 0), self.complexes)

    def mean(self, which: int) -> complex:
        """That of x or y."""
        complexes = self.complexes >> which & 1
        if self.count == 0:
            warnings.warn("mean of no elements is NaN", RuntimeWarning, stacklevel=2)
            return NAN if complexes else math.nan
        return self.rounded(which, (self.count, 0), complexes)

    def covariance(self, one: int, other: int, ddof: int) -> complex:
        """That of x and y, or the variance of one of them."""
        freedom = self.count - ddof
        if freedom <= 0:
            warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=2)
        finite = not self.nonfinite or all(self.special(k) is None for k in (one, other, IX + one, IX + other))
        made = covariance(ends(self.centered(one, other)) if finite else None, one == other, self.count, freedom)
        assert made is not None  # exact sums tell
        return made.real if one == other else self.of_kind(made)

    def average(self) -> complex:
        """The mean of x with the weights y."""
        if self.complexes & 2:
            raise TypeError("weights must be real numbers: for complex ones divide dot() by count * mean_y()")
        if self.special(Y) is not None:
            return self.of_kind(NAN)
        if self.sums[Y][0] == 0:
            raise no_average()
        return self.rounded(XY, self.sums[Y], self.complexes)

    def line(self, what: Literal["correlation", "slope", "intercept"]) -> complex:
        """What describes the line of least squares."""
        if self.nonfinite:
            return self.of_kind(NAN)
        (xx,), (yy,), cross = self.centered(X, X), self.centered(Y, Y), self.centered(X, Y)
        if xx[0] == 0 or (what == "correlation" and yy[0] == 0):
            warnings.warn("invalid value encountered in divide: a variance is zero", RuntimeWarning, stacklevel=2)
            return self.of_kind(NAN)
        if what == "correlation":
            made = correlation(ends(cross), ends([xx]), ends([yy]))
            assert made is not None  # exact sums tell
            return self.of_kind(made)
        xy, ixy = (*cross, (0, 0))[:2]
        if what == "slope":  # that of the real and the imaginary part of conj(xy)
            return self.of_kind(complex(ratio(xy, xx), ratio(minus((0, 0), ixy), xx)))
        x, y, _, _, _, ix, iy, *_ = self.complex_sums()
        parts = (
            minus(times(y, xx), plus(times(xy, x), times(ixy, ix))),
            minus(times(iy, xx), minus(times(xy, ix), times(ixy, x))),
        )
        divisor = times((self.count, 0), xx)
        return self.of_kind(complex(*(ratio(part, divisor) for part in parts)))


def no_average() -> ZeroDivisionError:
    """The error of an average without weight."""
    return ZeroDivisionError("the weights sum to zero, so there is no average")
