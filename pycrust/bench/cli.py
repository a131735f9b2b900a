"""The command ``pycrust``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pycrust
from pycrust.bench.gil import K, N, gil_table
from pycrust.bench.report import INSTALL, Result, progress_bar

QUICK_N = 2_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = make_parser()
    options = parser.parse_args(argv)
    try:
        return options.run(options)
    except UserError as error:
        parser.exit(2, f"pycrust: {error}\n")
    except KeyboardInterrupt:
        print("\npycrust: interrupted", file=sys.stderr)
        return 130


class UserError(Exception):
    """Something for the user to put right, said without a traceback."""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pycrust", description="Sums of squares you can thread: see what the GIL costs, on your machine."
    )
    parser.add_argument("--version", action="version", version=f"pycrust {pycrust.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    bench = commands.add_parser(
        "bench",
        help="time Python and C, in a row and in threads, with and without the GIL",
        description="Time k calls of 1² + 2² + … + n² in a row and in k threads: in Python, in C that holds "
        "the GIL and in C that releases it. The pure Python columns take nearly all of the time.",
    )
    bench.add_argument("-n", type=whole_number, help=f"the last number squared (default {N}; {QUICK_N} with --quick)")
    bench.add_argument(
        "-k", type=whole_number, nargs="+", default=K, metavar="K", help="numbers of calls or threads (default 1 2 4)"
    )
    bench.add_argument("--quick", action="store_true", help="a smaller n and fewer rounds: seconds, not a minute")
    add_outputs(bench)
    bench.set_defaults(run=run_bench)
    return parser


def add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the result (.png, .svg or .pdf)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure as JSON")


def whole_number(text: str) -> int:
    """1000000, 1_000_000 or 1e6, from 1 up."""
    try:
        number = int(text)
    except ValueError:
        try:
            number = int(float(text))
            exact = number == float(text)
        except (ValueError, OverflowError):
            exact = False
        if not exact:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, like 1000000 or 1e6") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return number


def check_outputs(options: argparse.Namespace) -> None:
    """Refuse before the measurement what would fail after it."""
    for path in options.plot, options.json:
        if path is not None and not path.absolute().parent.is_dir():
            raise UserError(f"there is no folder {path.absolute().parent} to write {path.name} in")
        if path is not None and path.is_dir():
            raise UserError(f"{path} is a folder, not a file")
    if options.plot is not None:
        if options.plot.suffix.lower() not in (".png", ".svg", ".pdf"):
            raise UserError(f"--plot {options.plot}: the name must end in .png, .svg or .pdf")
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise UserError(f"--plot needs matplotlib: {INSTALL}") from None


def show(result: Result, options: argparse.Namespace) -> None:
    """Print the result, and write the files asked for."""
    result.table().print()
    if options.json is not None:
        result.save_json(options.json)
        print(f"figures: {options.json}")
    if options.plot is not None:
        result.save_plot(options.plot)
        print(f"plot:    {options.plot}")


def run_bench(options: argparse.Namespace) -> int:
    check_outputs(options)
    n = options.n or (QUICK_N if options.quick else N)
    if n > pycrust_limit():
        raise UserError(f"-n {n}: the sum of squares fits 128 bits only up to n = {pycrust_limit()}")
    rounds, seconds = (3, 0.5) if options.quick else (7, 2.0)
    with progress_bar() as progress:
        result = gil_table(n, options.k, rounds=rounds, seconds=seconds, progress=progress)
    show(result, options)
    return 0


def pycrust_limit() -> int:
    return 7_991_780_883_560
