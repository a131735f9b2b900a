"""
Verdicts on functions of popular packages: the script of the table in docs/guide/verdicts.md.

What is not installed is left out, and named at the end. With arguments, only the calls in which one of them occurs.
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from pycrust.bench import threadable
from pycrust.bench.machine import Machine
from pycrust.bench.report import three_digits

TEXT = "text = b'It was the best of times, it was the worst of times, ' * 40_000"
RECORDS = "records = [{'number': k, 'text': str(k), 'list': [k] * 5} for k in range(30_000)]"
FLOATS = "import numpy as np; x = np.random.default_rng(1).random(10**6)"
MATRIX = "import numpy as np; a = np.random.default_rng(1).random((200, 200)); a = a + a.T"
CIPHER = (
    "from cryptography.hazmat.primitives.ciphers.aead import AESGCM; cipher = AESGCM(bytes(16)); nonce = bytes(12); "
)


class Case(NamedTuple):
    """A call, on what, and the code before it."""

    package: str
    call: str
    what: str
    setup: str


CASES = [
    Case("", "json.dumps(records)", "30 000 records", f"import json; {RECORDS}"),
    Case("", "hashlib.sha256(text)", "2.3 MB", f"import hashlib; {TEXT}"),
    Case("", "re.findall(b'w.rst', text)", "2.3 MB", f"import re; {TEXT}"),
    Case("numpy", "np.sort(x)", "10⁶ doubles", FLOATS),
    Case("numpy", "a @ a", "200 × 200", MATRIX),
    Case("scipy", "scipy.linalg.eigh(a)", "200 × 200", f"import scipy.linalg; {MATRIX}"),
    Case("scipy", "scipy.fft.rfft(x)", "10⁶ doubles", f"import scipy.fft; {FLOATS}"),
    Case("scipy", "gaussian_filter(a, 2)", "800 × 800", f"from scipy.ndimage import gaussian_filter; {MATRIX}; a = np.tile(a, (4, 4))"),
    Case("pandas", "pd.read_csv(io.BytesIO(csv))", "100 000 lines", "import io, pandas as pd; csv = b'a,b\\n' + b'1,2.5\\n' * 100_000"),
    Case("pandas", "frame.groupby('key').sum()", "10⁶ rows", f"import pandas as pd; {FLOATS}; frame = pd.DataFrame({{'key': np.arange(10**6) % 100, 'x': x}})"),
    Case("polars", "frame.sort('x')", "10⁶ rows", f"import polars; {FLOATS}; frame = polars.DataFrame({{'x': x}})"),
    Case("pillow", "image.resize((500, 500))", "2000 × 2000", "from PIL import Image; image = Image.new('RGB', (2000, 2000))"),
    Case("orjson", "orjson.dumps(records)", "30 000 records", f"import orjson; {RECORDS}"),
    Case("pydantic", "adapter.validate_python(numbers)", "100 000 numbers", "import pydantic; adapter = pydantic.TypeAdapter(list[float]); numbers = [str(k) for k in range(100_000)]"),
    Case("lxml", "etree.fromstring(xml)", "50 000 elements", "from lxml import etree; xml = b'<a>' + b'<b c=\"d\">e</b>' * 50_000 + b'</a>'"),
    Case("regex", "pattern.findall(text)", "2.3 MB", f"import regex; {TEXT}; pattern = regex.compile(b'w.rst')"),
    Case("cryptography", "cipher.encrypt(nonce, data, None)", "AES-GCM, 5 MB", f"{CIPHER}data = bytes(5 * 10**6)"),
    Case("cryptography", "cipher.encrypt(nonce, data, None)", "AES-GCM, 50 MB", f"{CIPHER}data = bytes(50 * 10**6)"),
    Case("bcrypt", "bcrypt.hashpw(b'secret', salt)", "8 rounds", "import bcrypt; salt = bcrypt.gensalt(8)"),
    Case("zstandard", "zstandard.compress(text)", "2.3 MB", f"import zstandard; {TEXT}"),
    Case("lz4", "lz4.frame.compress(text)", "2.3 MB", f"import lz4.frame; {TEXT}"),
]  # fmt: skip

HEADS = "package", "call", "others waited", "2 threads gain", "verdict"
NOT_HEARD = "—"


def row(case: Case) -> tuple[str, ...]:
    """What was measured, as the cells of a row."""
    package = f"{case.package} {version(case.package)}" if case.package else "standard library"
    names: dict[str, object] = {}
    exec(case.setup, names)
    result = threadable(eval(f"lambda: {case.call}", names), threads=(1, 2), name=case.call)
    heard = result.control is not None and result.control.tells
    gain = f"×{three_digits(result.speedup(2))}" if heard else NOT_HEARD
    return package, f"`{case.call}`, {case.what}", f"{result.stalled:.0%}", gain, result.verdict


def main(chosen: list[str]) -> None:
    print(*Machine.this().lines(), sep="\n", end="\n\n")
    missing, heard = [], True
    for cells in HEADS, ["---"] * len(HEADS):
        print(f"| {' | '.join(cells)} |")
    for case in CASES:
        if chosen and not any(part in f"{case.package} {case.call}" for part in chosen):
            continue
        try:
            cells = row(case)
        except (ImportError, PackageNotFoundError):
            missing.append(case.package)
            continue
        heard = heard and NOT_HEARD not in cells
        print(f"| {' | '.join(cells)} |", flush=True)
    if not heard:
        print(
            f"\n{NOT_HEARD}: other work had the cores, so that speed-ups said nothing; the verdict rests on the waits."
        )
    if missing:
        print(f"\nNot installed: {', '.join(sorted(set(missing)))}")


if __name__ == "__main__":
    main(sys.argv[1:])
