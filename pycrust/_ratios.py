"""
Statistics of two variables: ratios of exact sums, in Python ints.

A Number is integer * 2**exponent. Where sums have error bounds, both ends of what they may be are rounded.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from pycrust._bigint import lowest_terms, quotient

Number: TypeAlias = tuple[int, int]


def plus(one: Number, other: Number) -> Number:
    """The sum of two numbers."""
    unit = min(one[1], other[1])
    return (one[0] << one[1] - unit) + (other[0] << other[1] - unit), unit


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
# sums do not tell.
Difference: TypeAlias = list[Ends] | Literal[False] | None


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


def covariance(difference: Difference, own: bool, count: int, freedom: int, type: int) -> complex | None:
    """The difference divided by count * freedom; None if the sums do not tell. `own`: a variance."""
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
        lower, upper = (quotient(end, exponent, count * freedom, False, type) for end in (low, high))
        if lower != upper or low < 0 < high:
            return None
        made.append(lower)
    return complex(*made)


def correlation(cross: Difference, of_x: Difference, of_y: Difference, same: bool, type: int) -> complex | None:
    """The difference of x and y divided by the root of their own; None if the sums do not tell."""
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
        lower = min(quotient(low * low, 2 * of_cross - exponent, most, True, type), 1.0)
        upper = min(quotient(high * high, 2 * of_cross - exponent, least, True, type), 1.0)
        if lower != upper:
            return None
        made.append(-lower if negative else lower)
    return complex(*made)


# ---- pairs that come in pieces ---------------------------------------------------

X, Y, XX, YY, XY = range(5)


@dataclass(frozen=True, slots=True)
class PairSums:
    """The exact sums of pairs (x, y), and the statistics that follow from them."""

    count: int = 0
    nonfinite: int = 0  # three bits each for the sums of x, of y and of the products: what is not finite in them
    sums: tuple[Number, ...] = ((0, 0),) * 5  # of x, y, x**2, y**2, x y; all exponents <= 0
    floats: bool = False  # whether any floats were added: the sums of integers are ints

    def merged(self, other: "PairSums") -> "PairSums":
        """The sums of the pairs of both."""
        return PairSums(
            self.count + other.count,
            self.nonfinite | other.nonfinite,
            tuple(map(plus, self.sums, other.sums)),
            self.floats or other.floats,
        )

    def as_state(self) -> dict[str, object]:
        """What a pickle holds: equal sums give the same."""
        sums = tuple(map(lowest_terms, self.sums))
        return {
            "version": 1, "count": self.count, "special": self.nonfinite, "floats": self.floats, "sums": sums,
        }  # fmt: skip

    @classmethod
    def of_state(cls, state: Any) -> "PairSums":
        """The same, from a pickle, checked."""
        try:
            made = cls(state["count"], state["special"], tuple(map(tuple, state["sums"])), state["floats"])
            if state["version"] == 1 and type(state["floats"]) is bool and made.is_possible():
                return made
        except (TypeError, KeyError, ValueError):
            pass
        raise ValueError("this is not the state of a PairAccumulator that this version of pycrust can read")

    def is_possible(self) -> bool:
        """Whether these are sums, and some pairs have them."""
        kinds = {
            type(each) for each in (self.count, self.nonfinite, *(each for number in self.sums for each in number))
        }
        if kinds != {int} or len(self.sums) != 5:
            return False
        if not (self.count >= 0 and 0 <= self.nonfinite < 512 and all(-2200 <= each <= 0 for _, each in self.sums)):
            return False
        if self.count == 0 and (self.nonfinite or any(each for each, _ in self.sums)):
            return False
        if not self.floats and (self.nonfinite or any(each & (1 << -exponent) - 1 for each, exponent in self.sums)):
            return False
        xx, yy, xy = self.centered(X, X, XX), self.centered(Y, Y, YY), self.centered(X, Y, XY)
        if xx[0] < 0 or yy[0] < 0:
            return False
        return plus(times(xx, yy), times(xy, (-xy[0], xy[1])))[0] >= 0  # by Cauchy-Schwarz

    def special(self, which: int) -> float | None:
        """NaN or an infinity for the sum of x (0), of y (1), or of the products (2); None if it is finite."""
        flags = self.nonfinite >> 3 * which & 7
        return None if not flags else math.inf if flags == 1 else -math.inf if flags == 2 else math.nan

    def centered(self, one: int, other: int, products: int) -> Number:
        """count**2 times the covariance."""
        squares, exponent = self.sums[products]
        factor = -self.sums[one][0], self.sums[one][1]
        return plus((self.count * squares, exponent), times(factor, self.sums[other]))

    def dot(self) -> float:
        """The sum of the products: an int as long as only integers were added."""
        integer, exponent = self.sums[XY]
        if not self.floats:
            return integer >> -exponent
        special = self.special(2)
        return ratio(self.sums[XY], (1, 0)) if special is None else special

    def mean(self, which: int) -> float:
        """That of x or y."""
        if self.count == 0:
            warnings.warn("mean of no elements is NaN", RuntimeWarning, stacklevel=2)
            return math.nan
        special = self.special(which)
        return ratio(self.sums[which], (self.count, 0)) if special is None else special

    def covariance(self, one: int, other: int, products: int, ddof: int) -> float:
        """That of x and y, or the variance of one of them."""
        freedom = self.count - ddof
        if freedom <= 0:
            warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=2)
        if self.special(one) is not None or self.special(other) is not None:
            return math.nan
        centered = self.centered(one, other, products)
        if freedom <= 0:
            return math.nan if centered[0] == 0 else math.inf if centered[0] > 0 else -math.inf
        return ratio(centered, (self.count * freedom, 0))

    def average(self) -> float:
        """The mean of x with the weights y."""
        products, weights = self.special(2), self.special(1)
        if weights is not None:
            return math.nan
        if self.sums[Y][0] == 0:
            raise no_average()
        if products is not None:
            return products if self.sums[Y][0] > 0 else -products
        return weighted_mean(self.sums[XY], self.sums[Y])

    def line(self, what: Literal["correlation", "slope", "intercept"]) -> float:
        """What describes the line of least squares."""
        if self.nonfinite:
            return math.nan
        xx, yy, xy = self.centered(X, X, XX), self.centered(Y, Y, YY), self.centered(X, Y, XY)
        if xx[0] == 0 or (what == "correlation" and yy[0] == 0):
            warnings.warn("invalid value encountered in divide: a variance is zero", RuntimeWarning, stacklevel=2)
            return math.nan
        if what == "correlation":
            size = ratio(times(xy, xy), times(xx, yy), root=True)
            return -size if xy[0] < 0 else size
        if what == "slope":
            return ratio(xy, xx)
        slope_part = times((-xy[0], xy[1]), self.sums[X])
        return ratio(plus(times(self.sums[Y], xx), slope_part), times((self.count, 0), xx))


def no_average() -> ZeroDivisionError:
    """The error of an average without weight."""
    return ZeroDivisionError("the weights sum up to zero, so there is no average")
