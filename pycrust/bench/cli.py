"""The command ``pycrust``."""

import argparse
import math
import operator
import os
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any, TextIO

import pycrust
from pycrust._probe import last_words
from pycrust.bench import breakeven, peers
from pycrust.bench.attach import stalls_in
from pycrust.bench.breakeven import break_even
from pycrust.bench.compare import compare, read_report
from pycrust.bench.gil import PYTHON_N, K, N, gil_table
from pycrust.bench.machine import gil_enabled
from pycrust.bench.peers import compare_peers
from pycrust.bench.report import Result, printable, progress_bar, require_matplotlib, seconds_in_words
from pycrust.bench.stall import OVER
from pycrust.bench.stalls import Stalls, stalls_of
from pycrust.bench.verdict import HOLDS, RELEASES, refuse_unfinished, threadable

QUICK_N = 2_000_000
STANDARD_OUTPUT = Path("-")  # what --json - asks for
MOST_THREADS = 10_000
LARGEST_N = 7_991_780_883_560  # beyond it the loop would overflow


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    for name in "stdout", "stderr":
        if getattr(sys, name) is None:  # closed, as with >&-
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    for stream in sys.stdout, sys.stderr:
        if hasattr(stream, "reconfigure"):  # an encoding without ² or × gets a question mark, not a traceback
            stream.reconfigure(errors="replace")
    parser = make_parser()
    options = parser.parse_args(argv)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except UserError as error:
        parser.exit(2, f"pycrust: {printable(str(error), chr(10))}\n")
    except KeyboardInterrupt:
        print("\npycrust: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # as in `pycrust bench | head`
        nowhere(sys.stdout)
        return 141


def nowhere(stream: TextIO) -> None:
    """Where the rest of the output goes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class UserError(Exception):
    """An error that the user can correct: reported without a traceback."""


class Help(argparse.HelpFormatter):
    """Breaks no option at its hyphens, and fits a usage that is given, too, to the width of the terminal."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in self._split_lines(text, width - len(indent)))

    def _format_usage(self, usage: str | None, *others: Any) -> str:
        if usage:  # its lines, in which no-break spaces hold an option and its value together
            width = self._width - len("usage: ")
            usage = "\n".join(
                textwrap.fill(line, width, subsequent_indent=" " * len("pycrust stalls "), break_on_hyphens=False)
                for line in usage.splitlines()
            )
            usage = usage.replace("\n", "\n" + " " * len("usage: ")).replace("\xa0", " ")
        return super()._format_usage(usage, *others)

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        """Where all that follows is taken, argparse would leave out what it is."""
        usual = super()._format_args(action, default_metavar)
        return f"{action.metavar} ..." if usual == "..." else usual


class Parser(argparse.ArgumentParser):
    """With our help, as its commands have it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=Help, **options)


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="pycrust", description="Sums you can thread, and trust: measure what the GIL costs on your machine."
    )
    parser.add_argument("--version", action="version", version=f"pycrust {pycrust.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    bench = commands.add_parser(
        "bench",
        help="time Python and C, in a row and in threads, with and without the GIL",
        description="Time k calls of 1² + 2² + … + n² in a row and in k threads: in Python, in C that holds "
        f"the GIL and in C that releases it. For n above {PYTHON_N} the time of pure Python is measured at n = {PYTHON_N} and "
        "scaled up, unless --full is given.",
    )
    bench.add_argument(
        "-n", type=whole_number, help=f"the last number squared (default {N}; {QUICK_N} with --quick); "
        "with --peers or --break-even the largest size"
    )  # fmt: skip
    bench.add_argument(
        "-k", type=threads, nargs="+", metavar="K", help="numbers of calls, and of threads (default 1 2 4)"
    )
    pace = bench.add_mutually_exclusive_group()
    pace.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds, for a first impression")
    pace.add_argument(
        "--full", action="store_true",
        help=f"time pure Python at n itself, however long it takes, instead of at n = {PYTHON_N} and scaled up",
    )  # fmt: skip
    what = bench.add_mutually_exclusive_group()
    what.add_argument(
        "--peers", nargs="*", choices=peers.OPERATIONS, metavar="FUNCTION",
        help="instead: compare these of sumsq, norm, sum, mean, var, std (all by default), and the functions of groups, windows and two arrays "
        "that compute the same, with those of NumPy, the standard library, "
        "and bottleneck, numbagg, numpy_groupies, pandas, polars, SciPy, scikit-learn, numba, bitrep and xsum as far as they are installed: whole arrays, and short axes",
    )  # fmt: skip
    what.add_argument(
        "--break-even",
        action="store_true",
        help="instead: from which n on releasing the GIL pays off (-k: how many threads)",
    )
    add_outputs(bench)
    bench.set_defaults(run=run_bench)

    verdict = commands.add_parser(
        "threadable",
        help="tell whether a function releases the GIL, and how much faster it is in threads",
        description="Tell whether a function releases the GIL, so that other Python threads run meanwhile, and how much faster "
        "k calls of it are in k threads than in a row.",
        epilog="example: pycrust threadable numpy:sort --setup 'import numpy; x = numpy.random.rand(10**6)' "
        "--args 'x.copy()' kind=\"'stable'\"",
    )
    verdict.add_argument(
        "target", nargs="?", metavar="MODULE:FUNCTION", help="such as zlib:compress or package.module:Class.method"
    )
    verdict.add_argument(
        "--setup", default="", metavar="CODE", help="Python code to run first; --args may use its names"
    )
    verdict.add_argument(
        "--args", nargs="+", default=[], metavar="EXPR",
        help="the arguments, or NAME=EXPR for a keyword argument: evaluated anew for each call, before the clock starts",
    )  # fmt: skip
    verdict.add_argument(
        "--threads", type=threads, nargs="+", default=K, metavar="K", help="numbers of threads (default 1 2 4)"
    )
    verdict.add_argument(
        "--expect", choices=[RELEASES, HOLDS], help="exit with status 1 unless this is the verdict, for CI"
    )
    verdict.add_argument(
        "--margin", type=percent, default=0.0, metavar="PERCENT",
        help="with --expect: how far from the limit, of 15 or 80 %% of the time, it may be and still pass (default 0); near a "
        "limit the measurement is repeated first",
    )  # fmt: skip
    add_outputs(verdict)
    verdict.set_defaults(run=run_threadable)

    stalled = commands.add_parser(
        "stalls",
        help="run a program and report which of its lines hold the GIL, for how long and how often",
        usage="pycrust\xa0stalls [-h] [--over\xa0MS] [--fail-over\xa0MS] [--dump-over\xa0S] [--abort-over\xa0S] [--follow] "
        "[--signal\xa0NAME] [--plot\xa0FILE.png] [--json\xa0FILE] [--trace\xa0FILE.json] "
        "(SCRIPT | COMMAND | -m\xa0MODULE | -c\xa0CODE)\xa0...\n"
        "pycrust\xa0stalls --pid\xa0PID [--for\xa0TIME] [--over\xa0MS] ...",
        description="Run a program and report which of its lines hold the GIL, so that no other Python thread can run: "
        "for how long and how often. The report goes to stderr; the exit status is the program's.",
    )
    stalled.add_argument(
        "--over",
        type=milliseconds,
        default=OVER,
        metavar="MS",
        help="the shortest stall to report, in milliseconds (default 20; at least 10, twice the switch interval)",
    )
    stalled.add_argument(
        "--fail-over", type=milliseconds, metavar="MS",
        help="exit with status 1 if a line held the GIL for longer than so many milliseconds, for CI",
    )  # fmt: skip
    stalled.add_argument(
        "--dump-over", type=seconds_or_never, metavar="S",
        help="write who holds the GIL, and where, while a hold lasts: after S seconds, 2 S, 4 S, … (default 5; with --pid: 0, which is never)",
    )  # fmt: skip
    stalled.add_argument(
        "--abort-over", type=seconds_or_never, default=0.0, metavar="S",
        help="write that, and abort the program, when a hold has lasted for S seconds",
    )  # fmt: skip
    stalled.add_argument(
        "--follow", action="store_true", help="watch the Python processes that the program starts, too; not with --pid"
    )
    stalled.add_argument(
        "--trace", type=Path, metavar="FILE.json",
        help="write the stalls over time for Perfetto, chrome://tracing or speedscope",
    )  # fmt: skip
    stalled.add_argument(
        "--pid",
        type=whole_number,
        help="instead of running a program: watch a process that runs already, with Python 3.14 or later",
    )
    stalled.add_argument(
        "--for",
        dest="seconds",
        type=duration,
        metavar="TIME",
        help="with --pid: for how long, as 30s or 5m (default 30s)",
    )
    stalled.add_argument(
        "--signal", type=signal_number, metavar="NAME", default=0,
        help="the signal that makes a thread write its traceback (default SIGURG)",
    )  # fmt: skip
    add_outputs(stalled)
    stalled.add_argument(
        "-m",
        dest="module",
        nargs=argparse.REMAINDER,
        metavar="MODULE",
        help="run a module, with the arguments that follow",
    )
    stalled.add_argument(
        "-c",
        dest="code",
        nargs=argparse.REMAINDER,
        metavar="CODE",
        help="run this code, with the arguments that follow",
    )
    stalled.add_argument(
        "script", nargs=argparse.REMAINDER, metavar="SCRIPT", help="the script to run, and its arguments"
    )
    stalled.set_defaults(run=run_stalls)

    compared = commands.add_parser(
        "compare",
        help="report what got slower between two files written by --json",
        description="Report what got slower between two files written by --json, beyond the noise of both. "
        "The exit status is 1 if anything got slower, gives a wrong result that was right before, or no longer releases the "
        "GIL; 2 if a file is damaged, or the two cannot be compared.",
    )
    compared.add_argument("old", type=Path, metavar="OLD.json")
    compared.add_argument("new", type=Path, metavar="NEW.json")
    add_outputs(compared)
    compared.set_defaults(run=run_compare)
    return parser


def add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plot", type=Path, metavar="FILE.png", help="plot the result to this file (.png, .svg or .pdf)"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE",
        help="write all measurements as JSON; with - to standard output, and the table to standard error",
    )  # fmt: skip


def whole_number(text: str) -> int:
    """1000000, 1_000_000, 1e6 or 10**6, from 1 up."""
    power = re.fullmatch(r"(\d{1,20})\*\*(\d{1,3})", text)
    try:
        number = int(power[1]) ** int(power[2]) if power else int(text)
    except ValueError:
        try:
            number = int(float(text))
            exact = number == float(text)
        except (ValueError, OverflowError):
            exact = False
        if not exact:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, like 1000000, 1e6 or 10**6") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {text}")
    return number


def threads(text: str) -> int:
    """How many."""
    number = whole_number(text)
    if number > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"must be at most {MOST_THREADS} threads, not {text}")
    return number


def milliseconds(text: str) -> float:
    """A time in milliseconds, as seconds."""
    try:
        seconds = float(text) / 1e3
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in milliseconds, like 20")
    return seconds


def percent(text: str) -> float:
    """A share of the time, as a fraction."""
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share in percent, like 5")
    return share


def seconds_or_never(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time in seconds, like 5, or 0 for never")
    return seconds


def duration(text: str) -> float:
    """30, 30s, 500ms, 5m or 1h, in seconds."""
    units = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
    number = text.rstrip("msh")
    try:
        seconds = float(number) * units[text[len(number) :] or "s"]
    except (ValueError, KeyError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, like 30s or 5m")
    return seconds


def signal_number(text: str) -> int:
    """SIGUSR1 or USR1."""
    name = text.upper()
    number = getattr(signal, name if name.startswith("SIG") else f"SIG{name}", None)
    if not isinstance(number, signal.Signals):
        raise argparse.ArgumentTypeError(f"there is no signal {text!r}")
    return number


def check_outputs(options: argparse.Namespace) -> None:
    """Refuse before the measurement what would fail after it."""
    for path in options.plot, options.json, getattr(options, "trace", None):
        if path in (None, STANDARD_OUTPUT):
            continue
        folder = path.absolute().parent
        try:
            if not folder.is_dir():
                raise UserError(f"there is no folder {folder} to write {path.name} in")
            if path.is_dir():
                raise UserError(f"{path} is a folder, not a file")
            allowed = os.access(path if path.exists() else folder, os.W_OK)
        except OSError:  # the folder cannot be looked into
            allowed = False
        if not allowed:
            raise UserError(f"there is no permission to write {path}")
    if options.plot is not None:
        if options.plot.suffix.lower() not in (".png", ".svg", ".pdf"):
            raise UserError(f"--plot {options.plot}: the name must end in .png, .svg or .pdf")
        try:
            require_matplotlib()
        except ImportError as error:
            raise UserError(f"--plot: {error}") from None


def show(result: Result, options: argparse.Namespace) -> None:
    """Write the files asked for, and print the result."""
    written, failed = save(result, options)
    out = table_stream(options)
    try:
        print_tables(result, written, out)
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        nowhere(out)
        failed.append(f"the table could not be written: {error.strerror or error}")
    if failed:
        raise UserError("\npycrust: ".join(failed))


def table_stream(options: argparse.Namespace) -> TextIO:
    """Nothing but JSON is to be on standard output if it is asked for there."""
    return sys.stderr if options.json == STANDARD_OUTPUT else sys.stdout


@contextmanager
def nothing_but_json(options: argparse.Namespace) -> Iterator[None]:
    """With --json - what a function prints goes to standard error, and so does what its processes write."""
    if options.json != STANDARD_OUTPUT:
        yield
        return
    sys.stdout.flush()
    out = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(out, 1)
        os.close(out)


def save(result: Result, options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Write the files asked for; gives a line for each that was written, and one for each that could not be."""
    written, failed = [], []
    ways = {"figures": (options.json, result.save_json), "plot": (options.plot, result.save_plot)}
    if isinstance(result, Stalls):
        ways["trace"] = (options.trace, result.save_trace)
    for name, (path, write) in ways.items():
        try:
            if path == STANDARD_OUTPUT:
                print(result.to_json(), flush=True)
            elif path is not None:
                write(path)
                written.append(f"{name + ':':8} {path}")
        except OSError as error:
            if path == STANDARD_OUTPUT:
                nowhere(sys.stdout)
            failed.append(f"{path} could not be written: {error.strerror or error}")
    return written, failed


def print_tables(result: Result, written: Sequence[str], out: TextIO) -> None:
    for number, table in enumerate(result.tables()):
        if number:
            print(file=out)
        table.print(out)
    for line in written:
        print(line, file=out)


REPEATS = 2  # of a measurement that is near a limit


def run_threadable(options: argparse.Namespace) -> int:
    if options.target is None and options.args and re.fullmatch(r"[\w.]+:[\w.]+", options.args[-1]):
        options.target = options.args.pop()  # --args takes all that follows
    if options.target is None:
        raise UserError("MODULE:FUNCTION is missing, such as zlib:compress")
    check_outputs(options)
    had_gil = gil_enabled()
    func = function_at(options.target)
    try:
        refuse_unfinished(func)
    except TypeError as error:
        raise UserError(str(error)) from None
    arguments = ", ".join(options.args)
    names: dict[str, object] = {}

    def bound() -> Callable[[], object]:
        """The call, with arguments made for it."""
        made: Callable[[], object] = eval(code, names, {"call": partial(partial, func)})
        return made

    try:
        with nothing_but_json(options), progress_bar() as progress:
            exec(options.setup, names)
            code = compile(f"call({arguments})", "--args", "eval")
            bound()()
            measure = partial(
                threadable,
                operator.call,
                factory=lambda: (bound(),),
                name=options.target.replace(":", "."),
                progress=progress,
            )
            what = "threads" if max(options.threads) > 1 else "a thread other than the main one"
            advice = "; try --threads 1" if max(options.threads) > 1 else ""
            last_words(f"\npycrust: {options.target} died in {what}: it may not be safe there{advice}\n".encode())
            result = measure(threads=options.threads)
            for _ in range(REPEATS):  # the verdict rests on all rounds
                if options.expect is None or result.near is None or result.meets(options.expect, options.margin):
                    break
                more = measure(threads=())
                result = replace(result, runs=[*result.runs, *more.runs], idle=[*result.idle, *more.idle])
    except SystemExit as error:
        raise UserError(
            f"{options.target}({arguments}) ends the program with {error!r}: it cannot be measured"
        ) from error
    except Exception as error:
        raise UserError(f"{options.target}({arguments}) fails with {type(error).__name__}: {error}") from error
    finally:
        last_words()
    if gil_enabled() and not had_gil:
        result.notes.append(f"Importing {options.target.partition(':')[0]} turned the GIL on again.")
    show(result, options)
    if options.expect is None or result.meets(options.expect, options.margin):
        return 0
    print(f"pycrust: expected that it {options.expect} the GIL, but it {result.headline()}", file=sys.stderr)
    return 1


def function_at(target: str) -> Callable[..., object]:
    """The callable named by MODULE:FUNCTION; modules in the current folder are found, too."""
    module, colon, path = target.partition(":")
    if not (module and colon and path):
        raise UserError(f"{target!r} is not of the form MODULE:FUNCTION, such as zlib:compress")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        imported = import_module(module)
    except (Exception, SystemExit) as error:
        reason = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise UserError(f"cannot import {module}: {reason}") from None
    try:
        func: Callable[..., object] = attrgetter(path)(imported)
    except AttributeError as error:
        raise UserError(str(error)) from None
    except Exception as error:  # of a __getattr__, as of a module that imports on first use
        raise UserError(f"cannot get {target}: {type(error).__name__}: {error}") from None
    if not callable(func):
        raise UserError(f"{target} is not callable")
    return func


def run_bench(options: argparse.Namespace) -> int:
    check_outputs(options)
    rounds, seconds = (3, 0.3) if options.quick else (7, 2.0)
    measure: Callable[..., Result]
    if options.peers is not None:
        if options.k:
            raise UserError("-k cannot be used with --peers, which compares calls in one thread")
        sizes = up_to(options.n or (10**5 if options.quick else 10**8), peers.SIZES)
        if options.full:
            raise UserError("--full cannot be used with --peers, which does not time pure Python")
        measure = partial(compare_peers, sizes, operations=options.peers or tuple(peers.OPERATIONS))
        seconds /= 4
    elif options.break_even:
        if options.k and len(options.k) > 1:
            raise UserError("--break-even takes one -k: the number of threads")
        if options.k == [1]:
            raise UserError("-k 1: --break-even compares more threads with one")
        if options.full:
            raise UserError("--full cannot be used with --break-even, which does not time pure Python")
        largest = options.n or (10**5 if options.quick else 10**7)
        measure = partial(break_even, up_to(largest, breakeven.SIZES), options.k and options.k[0])
        seconds /= 4
    else:
        n = options.n or (QUICK_N if options.quick else N)
        if n > LARGEST_N:
            raise UserError(f"-n {n}: the sum of squares fits 128 bits only up to n = {LARGEST_N}")
        measure = partial(gil_table, n, options.k or K, full=options.full)
        seconds = 2.0 if options.full else min(seconds, 1.0)
    with progress_bar() as progress:
        result = measure(rounds=rounds, seconds=seconds, progress=progress)
    show(result, options)
    return 0


def up_to(largest: int, sizes: Sequence[int]) -> list[int]:
    """The default sizes below the largest, and the largest; powers of ten beyond the default sizes."""
    beyond = [10**k for k in range(len(str(max(sizes))), len(str(largest)) + 1)]
    return [*(size for size in [*sizes, *beyond] if size < largest), largest]


def run_stalls(options: argparse.Namespace) -> int:
    check_outputs(options)
    command = options.script
    for option, given in ("-m", options.module), ("-c", options.code):
        if given is not None:  # from an argument -- on the rest is in `script`
            command = [option, *given, *options.script] if given else []
    if options.pid is not None:
        return run_stalls_in(options, command)
    if options.seconds is not None:
        raise UserError("--for is for --pid: a program is watched until it ends")
    if not command:
        raise UserError(
            "stalls needs a program: a script, or -m and a module, or -c and code, and the arguments of the program"
        )
    command = [*map(script_called, command[:1]), *command[1:]]
    try:
        result, status = stalls_of(
            command,
            options.over,
            signum=options.signal,
            dump_over=LASTS if options.dump_over is None else options.dump_over,
            abort_over=options.abort_over,
            follow=options.follow,
        )
    except (RuntimeError, ValueError) as error:
        raise UserError(str(error)) from None
    own = 0
    if result is not None:
        own = show_stalls(result, options)
    elif options.fail_over is not None:
        print("pycrust: the program was not watched: --fail-over cannot be checked", file=sys.stderr)
        own = 2
    if status < 0:  # a signal ended it: so it does this process, for whoever waits for it
        sys.stdout.flush()
        sys.stderr.flush()
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        leave_no_core_file()  # the program's own is the one to keep
        os.kill(os.getpid(), -status)
        return 128 - status
    return status or own


def script_called(name: str) -> str:
    """The name of a script; or else the path of a command that is one, like uvicorn."""
    if os.sep in name or Path(name).exists():
        return name
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        return name  # Python says that there is none
    head = b""
    with suppress(OSError), Path(found).open("rb") as file:  # it may be executable and not readable
        head = file.readline(1000) + file.readline(1000)  # where its path is long the second line has it
    return found if head.startswith(b"#!") and b"python" in head else name


LASTS = 5.0  # seconds, after which a hold is told while it lasts: a health check would end the program


def run_stalls_in(options: argparse.Namespace, command: Sequence[str]) -> int:
    """Of a process that runs already."""
    if command:
        raise UserError("--pid takes no program: the process runs one")
    if options.follow:
        raise UserError("--follow cannot be used with --pid: only the process itself is watched")

    def say(text: str) -> None:
        print(f"pycrust: {text}", file=sys.stderr, flush=True)

    try:
        result = stalls_in(
            options.pid,
            options.over,
            seconds=options.seconds or 30.0,
            signum=options.signal,
            dump_over=options.dump_over or 0.0,
            abort_over=options.abort_over,
            say=say,
        )
    except (RuntimeError, ValueError) as error:
        raise UserError(str(error)) from None
    return show_stalls(result, options)


def show_stalls(result: Stalls, options: argparse.Namespace) -> int:
    """Gives the exit status, unless the program has one: 2 if a file could not be written, 1 if a line held the GIL for too long."""
    written, failed = save(result, options)
    worst = max((stall.seconds for each in [result, *result.processes] for stall in each.held), default=0.0)
    too_long = options.fail_over is not None and worst > options.fail_over
    if too_long:
        failed.append(f"a line held the GIL for {seconds_in_words(worst)}")
    try:
        print(file=sys.stderr)
        print_tables(result, written, sys.stderr)
        for line in failed:
            print(f"pycrust: {line}", file=sys.stderr)
    except OSError:  # nobody reads it, or the disk is full: the exit status is the program's all the same
        nowhere(sys.stderr)
    return 1 if too_long else 2 * bool(failed)


def leave_no_core_file() -> None:
    import ctypes

    PR_SET_DUMPABLE = 4
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def run_compare(options: argparse.Namespace) -> int:
    check_outputs(options)
    try:
        result = compare(read_report(options.old), read_report(options.new))
    except ValueError as error:
        raise UserError(str(error)) from None
    show(result, options)
    return int(result.worse)
