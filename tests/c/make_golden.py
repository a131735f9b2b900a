"""Golden vectors for test_golden.c, from Fraction alone: python make_golden.py > golden.txt

    range N = SUM NEAREST
    TYPE BITS*REPEAT ... = SPECIAL INTEGER EXPONENT INTEGER EXPONENT SUMSQ NORM RMS SUM MEAN VAR STD VAR STD
    pair TYPE TYPE N BITS ... BITS ... = DOT AVERAGE COV CORR

All but REPEAT, N, SPECIAL and EXPONENT is hexadecimal; SUM and INTEGER * 2**EXPONENT (of the squares, and of the
numbers, but for NaN and infinities, which SPECIAL has: 1 for Inf, 2 for -Inf, 4 for NaN) are exact, and NEAREST
and the others are the bits of the nearest doubles: VAR and STD with a ddof of 0, VAR with 1, STD with 3/2. COV
divides by N - 1, or by 1.
"""

import math
import random
import struct
from fractions import Fraction

FORMATS = {"float16": ("<e", "<H"), "float32": ("<f", "<I"), "float64": ("<d", "<Q")}
INTEGERS = [f"{kind}int{bits}" for bits in (8, 16, 32, 64) for kind in ("", "u")]
LARGEST_TIE = 2**1024 - 2**970  # from here on the nearest double is Inf


def number(kind, bits):
    """The number that these bits are."""
    if kind in FORMATS:
        floating, integer = FORMATS[kind]
        return struct.unpack(floating, struct.pack(integer, bits))[0]
    if kind == "bool":
        return int(bits != 0)
    size = int(kind.rpartition("int")[2])
    return bits - 2**size if kind[0] == "i" and bits >= 2 ** (size - 1) else bits


def bits64(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def nearest(x):
    """The bits of the double nearest to a Fraction, ties to even."""
    if isinstance(x, float):  # NaN or an infinity
        return bits64(x)
    return bits64((x > 0 or -1) * math.inf if abs(x) >= LARGEST_TIE else x.numerator / x.denominator)


def root(x):
    """A Fraction that rounds to the double to which the square root of x rounds."""
    if x == 0 or isinstance(x, float):
        return x
    # 70 bits of the root and one more: whether anything is left below them.
    shift = 140 - x.numerator.bit_length() + x.denominator.bit_length()
    shift += shift % 2
    scaled = x * Fraction(2) ** shift
    whole = math.isqrt(scaled.numerator // scaled.denominator)
    rest = whole * whole != scaled
    return Fraction(2 * whole + rest, 2) / Fraction(2) ** (shift // 2)


def line(kind, items):
    shown = " ".join(f"{bits:x}*{repeat}" for bits, repeat in items)
    numbers = [(number(kind, bits), repeat) for bits, repeat in items]
    count = sum(repeat for _, repeat in numbers)
    odd = {str(x) for x, _ in numbers if not math.isfinite(x)}
    special = sum(bit for bit, name in ((1, "inf"), (2, "-inf"), (4, "nan")) if name in odd)
    finite = [(Fraction(x), repeat) for x, repeat in numbers if math.isfinite(x)]
    total = sum((repeat * x**2 for x, repeat in finite), Fraction(0))
    plain = sum((repeat * x for x, repeat in finite), Fraction(0))
    spread = count * total - plain**2
    if special:
        total = math.nan if special & 4 else math.inf
        plain = {1: math.inf, 2: -math.inf}.get(special, math.nan)
        spread = math.nan
    variances = []
    results = [total, root(total), root(total / count), plain, plain / count]
    for ddof in (0, 1, Fraction(3, 2)):
        if count > ddof:
            variances.append(spread / (count * (count - ddof)))
        else:
            variances.append(math.inf if spread > 0 else math.nan)
    results += [variances[0], root(variances[0]), variances[1], root(variances[2])]
    exact = f"{words(finite, 2, -2160)} {words(finite, 1, -1080)}"
    return f"{kind} {shown} = {special} {exact} " + " ".join(f"{nearest(x):x}" for x in results)


def words(numbers, power, exponent):
    """A sum of powers as an integer and an exponent."""
    integer = int(sum((repeat * x**power for x, repeat in numbers), Fraction(0)) * Fraction(2) ** -exponent)
    while integer and not integer & 0xFFFF:
        integer, exponent = integer >> 16, exponent + 16
    return f"{integer:x} {exponent}"


def named():
    """The cases that have gone wrong elsewhere."""
    for kind in INTEGERS:
        size = int(kind.rpartition("int")[2])
        for bits in (0, 1, 2 ** (size - 1) - 1, 2 ** (size - 1), 2**size - 1):
            for repeat in (1, 2, 3, 4, 5, 16, 17, 70000):
                yield kind, [(bits, repeat)]
    yield "bool", [(1, 70000), (0, 5), (2, 300)]
    for kind, bits in (("float16", 0x7BFF), ("float16", 1), ("float32", 0x7F7FFFFF), ("float32", 1)):
        for repeat in (1, 19, 20, 4100):
            yield kind, [(bits, repeat)]
    for k in range(1, 12):  # underflow: k copies of 2**-538 are 0, 5e-324 or 1e-323
        yield "float64", [(bits64(2.0**-538), k)]
        yield "float64", [(bits64(2.0**-537), k)]
        yield "float64", [(1, k)]
    root_of_half = bits64(2.0**511)
    for extra in range(-2, 3):  # around the tie between the largest double and Inf
        yield "float64", [(bits64(2.0**511 * math.sqrt(2)) + extra, 2)]
        yield "float64", [(root_of_half + extra, 3), (bits64(2.0**511), 1)]
    tie = LARGEST_TIE
    squares = []
    while tie and len(squares) < 60:
        x = min(float(math.isqrt(tie)), 1.7e154)
        while int(x) ** 2 > tie:
            x = math.nextafter(x, 0)
        squares.append((bits64(x), 1))
        tie -= int(x) ** 2
    assert tie == 0
    yield "float64", squares
    yield "float64", [*squares, (1, 1)]
    yield "float64", squares[:-1]
    for special in (0x7FF0 << 48, 0xFFF0 << 48, 0x7FF8 << 48, (0x7FF0 << 48) + 1):
        for repeat in (1, 30, 3000):
            yield "float64", [(bits64(1.0), repeat), (special, 1)]
    yield "float64", [(0x7FF0 << 48, 1), (0x7FF8 << 48, 1)]
    for ones in range(40, 54):  # ties, and mantissas of ones at the edge of a carry
        for repeat in (1, 2, 3, 25, 2048, 2049):
            yield "float64", [(bits64(float(2**ones - 1)), repeat)]
            yield "float64", [(bits64(float(2**ones - 1)), repeat), (bits64(2.0**-30), 1)]
            yield "float64", [(bits64(2.0**27), 2**8), (bits64(1.0), repeat)]
    for k in range(1, 12):  # roots halfway between two doubles: (2**53 + k)**2, and a bit more
        for scale in (1.0, 2.0**-500, 2.0**400):
            tie = [(bits64(2.0**53 * scale), 1), (bits64(2.0**27 * scale), k), (bits64(k * scale), 1)]
            yield "float64", tie
            yield "float64", [*tie, (bits64(2.0**-60 * scale), 1)]
            yield "float64", [(bits, 16 * repeat) for bits, repeat in tie]
    for gap in range(15, 40):  # around the width of the kernel's window
        for repeat in (1, 30, 2100):
            yield "float64", [(bits64(1.9999), repeat), (bits64(1.0001 * 2.0**-gap), repeat)]
            yield "float32", [(0x3FFFFFFF, repeat), (0x3F800001 - (gap << 23), repeat)]
    for values in (  # sums beyond the largest double, or of nothing; means of little
        (1e308, 1e308, -1e308),
        (1e308, 1e308, 1e308),
        (-1e308, -1e308, 1e300),
        (1.0, -1.0),
        (-0.0, -0.0),
        (5e-324, -0.0),
        (-5e-324, 5e-324, -5e-324, 5e-324, 5e-324),
        (1e16, 1.0, -1e16),
        (math.inf, -math.inf, 1.0),
        (0.1, 0.1, 0.1),
    ):
        yield "float64", [(bits64(x), 1) for x in values]
        yield "float64", [(bits64(-x), 100) for x in values]
    for offset in (2.0**10, 2.0**20, 1.7e9, -1e12, 2.0**52):  # far from zero: the squares' digits cancel
        yield "float64", [(bits64(offset), 1000)]
        yield "float64", [(bits64(offset + k * math.ulp(offset)), 100 + k) for k in range(20)]
        yield "float64", [(bits64(offset - 1.0), 500), (bits64(offset + 1.0), 500)]
    for k in range(1, 12):  # variances halfway between two doubles: (2**53 + k)**2 + 1 and the like
        yield "float64", [(bits64(2.0**53 + 2 * k), 1), (bits64(-(2.0**53) - 2 * k), 1)]
        yield "int64", [(2**62 + k, 1), (2**64 - 2**62 - k, 1)]
        yield "float64", [(bits64(2.0**53), 1), (bits64(1.0), 1), (bits64(k * 2.0**-60), 1)]  # sums, means: a bit more
        yield "float64", [(bits64(-(2.0**54)), 2), (bits64(-2.0), k)]


def short(generator):
    """Few numbers at a time, where the rounding test of a lane has least room: ties, and what decides them."""

    def floats(*values):
        return "float64", [(bits64(x), 1) for x in values]

    for _ in range(20):
        high = generator.choice((1.0, 2.0**-30, 2.0**300)) * generator.randrange(2**52, 2**53) * 2.0**-52
        half = math.ulp(high) / 2
        far = generator.choice((-1, 1)) * half * 2.0 ** -generator.choice((1, 2, 50, 53, 54, 90, 400))
        yield floats(high, half)  # a sum halfway between two doubles, ...
        yield floats(high, half, far)  # ... and a third number, too small to be seen beside the half, that decides
        yield floats(-high, -half, 0.0, far)
        yield floats(3 * high, 3 * half, 0.0)  # a mean halfway, likewise
        yield floats(3 * high, 3 * half, far)
        yield floats(high, high + 2 * half)  # a standard deviation of half an ulp; a mean that is a tie
        yield floats(-high - half * 2, high)  # half the distance of two: a tie
        yield floats(high, high + 2 * half, high + 4 * half, high + far)
    for _ in range(20):  # squares halfway: (1 + odd 2^-27)^2 has 54 bits and more; less than half an ulp beside it
        x = 1.0 + (2 * generator.randrange(2**20) + 1) * 2.0**-27
        yield floats(x, 2.0**-27)
        yield floats(x, 2.0**-27, 2.0 ** -generator.choice((28, 40, 54, 60)))
        whole = generator.randrange(2**52, 2**53)  # norms: one root halfway between two, and next to one
        yield floats(float(whole), float(generator.randrange(2**26, 2**27)), 1.0)
    for _ in range(10):  # variances: n * squares - sum^2 far smaller than either, and halfway
        a, b = generator.randrange(2**30), generator.randrange(2**20)
        yield floats(float(a), float(a + b), float(a + 2 * b))
        yield floats(float(a), float(a + b), float(a - b), float(a + 7))
        yield "float32", [(generator.randrange(0x3F000000, 0x40000000), 1) for _ in range(3)]
        yield "float16", [(generator.randrange(0x3800, 0x4000), 1) for _ in range(4)]
        yield "uint8", [(generator.randrange(256), 1) for _ in range(3)]
        yield "int64", [(generator.getrandbits(64), 1) for _ in range(3)]


def random_items(generator, kind):
    count = generator.choice((1, 2, 5, 19, 20, 21, 40))
    if kind not in FORMATS:
        size = 8 if kind == "bool" else int(kind.rpartition("int")[2])
        return [
            (generator.getrandbits(size) >> generator.choice((0, 0, size // 2)), generator.choice((1, 1, 50)))
            for _ in range(count)
        ]
    fraction, top = {"float16": (10, 30), "float32": (23, 254), "float64": (52, 2046)}[kind]
    centre = generator.randrange(top + 1)
    width = generator.choice((0, 3, 23, 24, 25, 26, 27, 28, 60, top))
    signed = generator.getrandbits(1)
    items = []
    for _ in range(count):
        exponent = max(0, centre - generator.randint(0, width))
        mantissa = generator.choice(
            (generator.getrandbits(fraction), generator.getrandbits(fraction), 2**fraction - 1, 0)
        )
        sign = signed and generator.getrandbits(1)
        bits = sign << (16 if kind == "float16" else 32 if kind == "float32" else 64) - 1 | exponent << fraction
        items.append((bits | mantissa, generator.choice((1, 1, 1, 70, 2048))))
    return items


def pairs(generator):
    """Two arrays: the bits of some in which something is likely to go wrong, and of any."""
    for sign in (1, -1):  # a tie; products that are too small for a double, which decide it; and what cancels
        for zeros in (0, 2, 30):
            for tiny in (0.0, 2.0**-474, 2.0**-500):
                x, y = [2.0**27 + 1, sign * 2.0**-600], [2.0**26 + 1, tiny]
                yield double_pair(x + [0.0] * zeros, y + [1.0] * zeros)
        yield double_pair([1e200, 1e-200, -1e200], [1e200, sign * 5.0, 1e200])
        yield double_pair([1e300, sign * 1e300], [1e300, 1e300])
        yield double_pair([5e-324, sign * 5e-324, 1.0], [5e-324, 0.5, 1e-310])
        for count in (3, 40, 300):  # on a line, or beside it by an ulp
            x = [0.25 * generator.randrange(-99, 99) for _ in range(count)]
            y = [sign * 3 * v + 2.0**20 for v in x]
            yield double_pair(x, y)
            yield double_pair(x, [math.nextafter(y[0], 0), *y[1:]])
    for kind in INTEGERS:
        size = int(kind.rpartition("int")[2])
        for other in (kind, "int64", "uint64", "float64", "bool"):
            for count in (1, 17):
                edges = (2 ** (size - 1), 2 ** (size - 1) - 1, 2**size - 1)
                one = bits64(1.0 / 3) if other == "float64" else 2**63 if other.endswith("64") else 1
                one = one if other in ("float64", "int64", "uint64", "bool") else edges[0]
                for edge in edges:
                    yield kind, other, [edge] * count, [one if other != kind else edges[0]] * count
    kinds = (*INTEGERS, "bool", *FORMATS)
    for kind in kinds:
        for other in (kind, generator.choice(kinds), generator.choice(kinds)):
            for count in (3, 40, 150) if other == kind else (3, 40):
                yield (
                    kind,
                    other,
                    *([generator.choice(random_items(generator, k))[0] for _ in range(count)] for k in (kind, other)),
                )


def double_pair(x, y):
    return "float64", "float64", [bits64(v) for v in x], [bits64(v) for v in y]


def pair_line(x_kind, y_kind, x, y):
    """The sum of the products, the average with weights y, the covariance (divided by n - 1) and the correlation."""
    v, w = ([Fraction(number(kind, bits)) for bits in each] for kind, each in ((x_kind, x), (y_kind, y)))
    n = len(x)

    def centered(a, b):
        return n * sum(p * q for p, q in zip(a, b, strict=True)) - sum(a) * sum(b)

    total, weight = sum(p * q for p, q in zip(v, w, strict=True)), sum(w)
    cross, spreads = centered(v, w), centered(v, v) * centered(w, w)
    results = [total, total / weight if weight else 0, cross / (n * max(n - 1, 1))]
    shown = [bits64(signed(result)) for result in results]
    if spreads == 0:
        shown.append(bits64(math.nan))
    else:
        shown.append(nearest(root(cross**2 / spreads)) | (cross < 0) << 63)
    items = " ".join(f"{bits:x}" for bits in x + y)
    return f"pair {x_kind} {y_kind} {n} {items} = {' '.join(f'{bits:x}' for bits in shown)}"


def signed(exact):
    """The nearest double, of either sign, as a float."""
    size = struct.unpack("<d", struct.pack("<Q", nearest(abs(exact))))[0]
    return -size if exact < 0 else size


def main():
    generator = random.Random(20261123)
    for n in (*range(40), 10**6, 2**27 - 1, 2**27, 2**27 + 1, 2**27 + 4097):
        total = n * (n + 1) * (2 * n + 1) // 6
        print(f"range {n} = {total:x} {nearest(Fraction(total)):x}")
    for kind, items in named():
        print(line(kind, items))
    for kind in (*INTEGERS, "bool", *FORMATS):
        for _ in range(150 if kind == "float64" else 40):
            print(line(kind, random_items(generator, kind)))
    for kind, items in short(generator):
        print(line(kind, items))
    for two in pairs(generator):
        print(pair_line(*two))


if __name__ == "__main__":
    main()
