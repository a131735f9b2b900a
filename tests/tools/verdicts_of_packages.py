#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "argon2-cffi", "bcrypt", "blake3", "blosc2", "bottleneck", "brotli", "cbor2", "cryptography", "duckdb", "google-re2",
#     "h5py", "igraph", "imageio", "Levenshtein", "lxml", "lz4", "msgpack", "msgspec", "netCDF4", "numba", "numexpr", "numpy",
#     "opencv-python-headless", "orjson", "pandas", "pillow", "polars", "protobuf", "pyarrow", "pycrust", "pydantic",
#     "PyMuPDF", "pyproj", "PyYAML", "rapidfuzz", "rasterio", "regex", "scikit-image", "scikit-learn", "scipy", "shapely",
#     "simplejson", "soundfile", "tiktoken", "tokenizers", "ujson", "xxhash", "zstandard",
# ]
# [tool.uv.sources]
# pycrust = { path = "../.." }
# ///
"""
Verdicts on functions of popular packages: which hold the GIL, beside what is said of them.

Prints a table; with --markdown the whole page docs/guide/verdicts-of-packages.md. With arguments, only the calls in which one of
them occurs. What is not installed is left out, and named at the end: --requirements prints what to install.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

TEXT = "text = b'It was the best of times, it was the worst of times, ' * 40_000"
RECORDS = "records = [{'number': k, 'text': str(k), 'list': [k] * 5} for k in range(30_000)]"
JSON = f"{RECORDS}; import json; text = json.dumps(records)"
FLOATS = "import numpy as np; x = np.random.default_rng(1).random(10**6)"
MATRIX = "import numpy as np; a = np.random.default_rng(1).random((200, 200)); a = a + a.T"
POINTS = "import numpy as np; p = np.random.default_rng(1).random((3000, 3))"
FRAME = f"import pandas as pd; {FLOATS}; frame = pd.DataFrame({{'key': np.arange(10**6) % 100, 'x': x}})"
PICTURE = "import numpy as np; a = np.random.default_rng(1).integers(0, 256, (1000, 1000), np.uint8)"
CIPHER = (
    "from cryptography.hazmat.primitives.ciphers.aead import AESGCM; cipher = AESGCM(bytes(16)); nonce = bytes(12); "
)
KEY = (
    "from cryptography.hazmat.primitives.asymmetric import padding, rsa; from cryptography.hazmat.primitives import hashes; "
    "key = rsa.generate_private_key(65537, 3072); pad = padding.PKCS1v15(); sha = hashes.SHA256()"
)
WORDS = (
    "import random; random.seed(1); words = [''.join(random.choices('abcdefgh', k=12)) for k in range(2000)]; "
    "prose = ' '.join(words * 50)"
)
BPE = (
    f"{WORDS}; from tokenizers import Tokenizer, models, pre_tokenizers, trainers; tokenizer = Tokenizer(models.BPE()); "
    "tokenizer.pre_tokenizer = pre_tokenizers.Whitespace(); "
    "tokenizer.train_from_iterator(words, trainers.BpeTrainer(vocab_size=3000, show_progress=False))"
)
RANKS = (
    f"{WORDS}; import tiktoken; ranks = {{bytes([k]): k for k in range(256)}}; "
    "pairs = [bytes([a, b]) for a in b'abcdefgh' for b in b'abcdefgh']; pairs += [a + b for a in pairs for b in pairs]; "
    "ranks.update((pair, 256 + k) for k, pair in enumerate(pairs)); "
    "coder = tiktoken.Encoding('own', pat_str=r'\\w+|\\W+', mergeable_ranks=ranks, special_tokens={})"
)
FILE = "import tempfile, os; folder = tempfile.mkdtemp(dir='/dev/shm' if os.path.isdir('/dev/shm') else None)"

CPYTHON = "https://github.com/python/cpython"
SCIPY = "https://github.com/scipy/scipy"
PILLOW = "https://github.com/python-pillow/Pillow"
LXML = "https://github.com/lxml/lxml/blob/HEAD"
H5PY = "https://github.com/h5py/h5py/blob/HEAD/docs/whatsnew/3.0.rst"
XXHASH = "https://github.com/ifduyue/python-xxhash/blob/HEAD/CHANGELOG.rst"
BLOSC2 = "https://github.com/Blosc/python-blosc2/blob/HEAD/src/blosc2/core.py"
SKLEARN = "https://github.com/scikit-learn/scikit-learn"
SKIMAGE = "https://github.com/scikit-image/scikit-image"
LZ4 = "https://github.com/python-lz4/python-lz4"
ZSTANDARD = "https://github.com/indygreg/python-zstandard"
NUMBA = "https://github.com/numba/numba/blob/HEAD/docs/source/user/jit.rst"
ARROW = "https://github.com/apache/arrow/issues/11141"
RAPIDFUZZ = "https://github.com/rapidfuzz/RapidFuzz/issues/429"
AEAD = "https://github.com/pyca/cryptography/pull/15361"
HOLDS, RELEASES = "holds", "releases"


class Case(NamedTuple):
    """A call, on what, the code before it, and what is said of it: a word each, and where."""

    package: str
    call: str
    what: str
    setup: str
    claims: tuple[tuple[str, str], ...] = ()


CASES = [
    Case("", "json.dumps(records)", "30 000 records", f"import json; {RECORDS}"),
    Case("", "json.loads(text)", "1.9 MB", JSON),
    Case("", "pickle.dumps(records)", "30 000 records", f"import pickle; {RECORDS}"),
    Case("", "list(csv.reader(lines))", "30 000 lines", "import csv; lines = ['a,b,1,2.5,c'] * 30_000"),
    Case("", "sorted(numbers)", "200 000 ints", "import random; numbers = random.Random(1).sample(range(10**7), 200_000)"),
    Case("", "text.count(b'worst of rhymes')", "2.3 MB", TEXT),
    Case("", "re.findall(b'w.rst', text)", "2.3 MB", f"import re; {TEXT}", ((HOLDS, f"{CPYTHON}/issues/42625"),)),
    Case("", "hashlib.sha256(text)", "2.3 MB", f"import hashlib; {TEXT}", ((RELEASES, f"{CPYTHON}/pull/104776"),)),
    Case("", "zlib.compress(text)", "2.3 MB", f"import zlib; {TEXT}", ((RELEASES, "https://github.com/pycompression/python-isal/issues/132"),)),
    Case("", "bz2.compress(text)", "230 kB", f"import bz2; {TEXT}; text = text[:230_000]"),
    Case("", "lzma.compress(text)", "2.3 MB", f"import lzma; {TEXT}"),
    Case("", "sqlite3.connect(':memory:').execute(query).fetchall()", "a sum over 300 000 rows", "import sqlite3; query = 'with recursive n(k) as (select 1 union all select k + 1 from n where k < 300000) select sum(k) from n'", ((RELEASES, "https://github.com/simonw/datasette/issues/1727"),)),
    Case("numpy", "np.sort(x)", "10⁶ doubles", FLOATS),
    Case("numpy", "a @ a", "200 × 200", MATRIX),
    Case("numpy", "x.tolist()", "10⁶ doubles", FLOATS),
    Case("scipy", "scipy.linalg.eigh(a)", "200 × 200", f"import scipy.linalg; {MATRIX}"),
    Case("scipy", "scipy.fft.rfft(x)", "10⁶ doubles", f"import scipy.fft; {FLOATS}"),
    Case("scipy", "gaussian_filter(a, 2)", "800 × 800", f"from scipy.ndimage import gaussian_filter; {MATRIX}; a = np.tile(a, (4, 4))", ((RELEASES, f"{SCIPY}/pull/3943"),)),
    Case("scipy", "cdist(p, p)", "3000 points", f"from scipy.spatial.distance import cdist; {POINTS}", ((RELEASES, f"{SCIPY}/pull/4435"),)),
    Case("scipy", "tree.query(p)", "3000 points", f"from scipy.spatial import KDTree; {POINTS}; tree = KDTree(p)", ((RELEASES, f"{SCIPY}/blob/HEAD/doc/source/release/0.17.0-notes.rst"),)),
    Case("scipy", "medfilt2d(a, 5)", "200 × 200", f"from scipy.signal import medfilt2d; {MATRIX}", ((RELEASES, f"{SCIPY}/pull/13532"),)),
    Case("pandas", "pd.read_csv(io.BytesIO(csv))", "100 000 lines", "import io, pandas as pd; csv = b'a,b\\n' + b'1,2.5\\n' * 100_000", ((RELEASES, "https://pandas.pydata.org/docs/whatsnew/v0.17.1.html"),)),
    Case("pandas", "frame.groupby('key').sum()", "10⁶ rows", FRAME, ((RELEASES, "https://github.com/pandas-dev/pandas/issues/10213"),)),
    Case("pandas", "frame.sort_values('x')", "10⁶ rows", FRAME),
    Case("polars", "frame.sort('x')", "10⁶ rows", f"import polars; {FLOATS}; frame = polars.DataFrame({{'x': x}})", ((RELEASES, "https://github.com/pola-rs/polars/issues/19382"),)),
    Case("pyarrow", "pc.sort_indices(column)", "10⁶ doubles", f"import pyarrow as pa, pyarrow.compute as pc; {FLOATS}; column = pa.array(x)", ((RELEASES, ARROW),)),
    Case("pyarrow", "pq.read_table(io.BytesIO(file), use_threads=False)", "10⁶ doubles", f"import io, pyarrow as pa, pyarrow.parquet as pq; {FLOATS}; out = io.BytesIO(); pq.write_table(pa.table({{'x': x}}), out); file = out.getvalue()", ((RELEASES, ARROW),)),
    Case("duckdb", "duckdb.connect(config={'threads': 1}).execute(query).fetchall()", "a sum over 10⁷ rows", "import duckdb; query = 'select sum(sqrt(k)) from range(10000000) t(k)'", ((RELEASES, "https://github.com/duckdb/duckdb/pull/1377"),)),
    Case("numexpr", "ne.evaluate('sin(x) * exp(x)')", "10⁶ doubles", f"import numexpr as ne; ne.set_num_threads(1); {FLOATS}", ((RELEASES, "https://github.com/pydata/numexpr/blob/HEAD/RELEASE_NOTES.rst"),)),
    Case("bottleneck", "bn.move_median(x, 100)", "10⁶ doubles", f"import bottleneck as bn; {FLOATS}", ((HOLDS, "https://github.com/pydata/bottleneck/issues/101"),)),
    Case("numba", "loop(x)", "@njit, 10⁶ doubles", f"import numba; {FLOATS}\n@numba.njit\ndef loop(x):\n    s = 0.0\n    for y in x:\n        s += y ** 1.5\n    return s\nloop(x)", ((HOLDS, NUMBA),)),
    Case("numba", "loop(x)", "@njit(nogil=True), 10⁶ doubles", f"import numba; {FLOATS}\n@numba.njit(nogil=True)\ndef loop(x):\n    s = 0.0\n    for y in x:\n        s += y ** 1.5\n    return s\nloop(x)", ((RELEASES, NUMBA),)),
    Case("scikit-learn", "DecisionTreeRegressor().fit(p, y)", "3000 points", f"from sklearn.tree import DecisionTreeRegressor; {POINTS}; y = p.sum(1)", ((RELEASES, f"{SKLEARN}/pull/2528"),)),
    Case("scikit-learn", "ElasticNet(0.001).fit(q, y)", "2000 × 200", f"from sklearn.linear_model import ElasticNet; {POINTS}; q = np.random.default_rng(1).random((2000, 200)); y = q.sum(1)", ((RELEASES, f"{SKLEARN}/pull/3102"),)),
    Case("scikit-image", "hough_line(a > 250)", "1000 × 1000", f"from skimage.transform import hough_line; {PICTURE}", ((RELEASES, f"{SKIMAGE}/pull/3490"),)),
    Case("scikit-image", "canny(a)", "1000 × 1000", f"from skimage.feature import canny; {PICTURE}; a = a / 255", ((HOLDS, f"{SKIMAGE}/issues/1512"),)),
    Case("opencv-python-headless", "cv2.GaussianBlur(a, (15, 15), 0)", "1000 × 1000", f"import cv2; cv2.setNumThreads(1); {PICTURE}"),
    Case("opencv-python-headless", "cv2.imencode('.png', a)", "1000 × 1000", f"import cv2; cv2.setNumThreads(1); {PICTURE}"),
    Case("pillow", "image.resize((500, 500))", "2000 × 2000", "from PIL import Image; image = Image.new('RGB', (2000, 2000))", ((RELEASES, f"{PILLOW}/blob/HEAD/CHANGES.rst"),)),
    Case("pillow", "image.save(io.BytesIO(), 'PNG')", "1000 × 1000", f"import io; from PIL import Image; {PICTURE}; image = Image.fromarray(a)", ((RELEASES, f"{PILLOW}/blob/HEAD/CHANGES.rst"),)),
    Case("pillow", "Image.open(io.BytesIO(file)).load()", "JPEG, 1000 × 1000", f"import io; from PIL import Image; {PICTURE}; out = io.BytesIO(); Image.fromarray(a).save(out, 'JPEG'); file = out.getvalue()", ((RELEASES, f"{PILLOW}/pull/1224"),)),
    Case("imageio", "iio.imread(file)", "PNG, 1000 × 1000", f"import imageio.v3 as iio; {PICTURE}; file = iio.imwrite('<bytes>', a, extension='.png')"),
    Case("soundfile", "soundfile.read(path)", "FLAC, 2 × 10⁶ samples", f"import soundfile; {FILE}; {FLOATS}; path = folder + '/a.flac'; soundfile.write(path, np.tile(x, 2) - 0.5, 48_000)"),
    Case("h5py", "file['x'][:]", "gzip, 10⁶ doubles", f"import h5py; {FLOATS}; file = h5py.File('a', 'w', driver='core', backing_store=False); file.create_dataset('x', data=x, compression='gzip')", ((RELEASES, H5PY),)),
    Case("netCDF4", "file['x'][:]", "zlib, 10⁶ doubles", f"import netCDF4; {FLOATS}; file = netCDF4.Dataset('a', 'w', diskless=True); file.createDimension('n', 10**6); file.createVariable('x', 'f8', 'n', zlib=True)[:] = x", ((RELEASES, "https://github.com/Unidata/netcdf4-python/blob/HEAD/README.md"),)),
    Case("shapely", "shapely.buffer(points, 1)", "5000 points", f"import shapely; {POINTS}; points = shapely.points(p[:, :2])", ((RELEASES, "https://github.com/shapely/shapely/blob/HEAD/README.rst"),)),
    Case("pyproj", "project.transform(x, x)", "10⁶ points", f"import pyproj; {FLOATS}; project = pyproj.Transformer.from_crs(4326, 3857)"),
    Case("rasterio", "reproject(a, b, src_transform=t, dst_transform=t, src_crs=c, dst_crs=c)", "1000 × 1000", f"from rasterio.warp import reproject; from rasterio import Affine; {PICTURE}; b = a.copy(); t = Affine(1, 0, 0, 0, -1, 0); c = 'EPSG:3857'", ((RELEASES, "https://github.com/rasterio/rasterio/pull/912"),)),
    Case("igraph", "graph.betweenness()", "1000 vertices", "import igraph; graph = igraph.Graph.Erdos_Renyi(1000, m=5000)", ((HOLDS, "https://github.com/igraph/python-igraph/issues/866"),)),
    Case("PyMuPDF", "page.get_pixmap(dpi=150)", "a page of text", "import pymupdf; page = pymupdf.open().new_page(); page.insert_text((50, 50), 'It was the best of times\\n' * 50)", ((HOLDS, "https://github.com/pymupdf/PyMuPDF/issues/2092"),)),
    Case("tiktoken", "coder.encode_ordinary(prose)", "1.3 MB, own ranks", RANKS, ((HOLDS, "https://github.com/BerriAI/litellm/issues/26193"), (RELEASES, "https://github.com/openai/tiktoken/blob/HEAD/src/py.rs"))),
    Case("tokenizers", "tokenizer.encode(prose)", "BPE, 1.3 MB", BPE),
    Case("tokenizers", "tokenizer.encode_batch(texts)", "BPE, 50 × 13 kB", f"{BPE}; texts = [prose[:13_000]] * 50", ((RELEASES, "https://github.com/huggingface/transformers/issues/47085"),)),
    Case("rapidfuzz", "process.cdist(words[:500], words[:500])", "500 × 500 words", f"from rapidfuzz import process; {WORDS}"),
    Case("rapidfuzz", "process.extractOne('abcdefghabcd', words)", "2000 words", f"from rapidfuzz import process; {WORDS}", ((HOLDS, RAPIDFUZZ),)),
    Case("Levenshtein", "Levenshtein.distance(prose[:20_000], prose[9:20_009])", "2 × 20 000 letters", f"import Levenshtein; {WORDS}"),
    Case("regex", "pattern.findall(text)", "2.3 MB", f"import regex; {TEXT}; pattern = regex.compile(b'w.rst')", ((RELEASES, "https://pypi.org/project/regex/"),)),
    Case("google-re2", "re2.findall(b'w.rst', text)", "2.3 MB", f"import re2; {TEXT}"),
    Case("orjson", "orjson.dumps(records)", "30 000 records", f"import orjson; {RECORDS}", ((HOLDS, "https://github.com/ijl/orjson/pull/377"),)),
    Case("orjson", "orjson.loads(text)", "1.9 MB", f"import orjson; {JSON}", ((HOLDS, "https://github.com/ijl/orjson/issues/305"),)),
    Case("ujson", "ujson.loads(text)", "1.9 MB", f"import ujson; {JSON}", ((HOLDS, "https://github.com/ultrajson/ultrajson/issues/199"),)),
    Case("simplejson", "simplejson.dumps(records)", "30 000 records", f"import simplejson; {RECORDS}"),
    Case("msgspec", "msgspec.json.decode(text)", "1.9 MB", f"import msgspec; {JSON}"),
    Case("msgpack", "msgpack.packb(records)", "30 000 records", f"import msgpack; {RECORDS}"),
    Case("msgpack", "msgpack.unpackb(packed)", "30 000 records", f"import msgpack; {RECORDS}; packed = msgpack.packb(records)"),
    Case("cbor2", "cbor2.dumps(records)", "30 000 records", f"import cbor2; {RECORDS}"),
    Case("PyYAML", "yaml.load(text, yaml.CSafeLoader)", "5000 lines", "import yaml; text = 'key: [1, 2.5, abc]\\n' * 1 + '\\n'.join(f'k{k}: [1, 2.5, abc]' for k in range(5000))"),
    Case("protobuf", "Struct.FromString(data)", "30 000 fields", "from google.protobuf.struct_pb2 import Struct; s = Struct(); s.update({f'k{k}': k for k in range(30_000)}); data = s.SerializeToString()"),
    Case("pydantic", "adapter.validate_python(numbers)", "100 000 numbers", "import pydantic; adapter = pydantic.TypeAdapter(list[float]); numbers = [str(k) for k in range(100_000)]", ((HOLDS, "https://github.com/pydantic/pydantic/issues/12863"),)),
    Case("lxml", "etree.fromstring(xml)", "50 000 elements", "from lxml import etree; xml = b'<a>' + b'<b c=\"d\">e</b>' * 50_000 + b'</a>'", ((RELEASES, f"{LXML}/doc/FAQ.txt"),)),
    Case("lxml", "etree.tostring(tree)", "50 000 elements", "from lxml import etree; tree = etree.fromstring(b'<a>' + b'<b c=\"d\">e</b>' * 50_000 + b'</a>')", ((RELEASES, f"{LXML}/CHANGES.txt"),)),
    Case("cryptography", "cipher.encrypt(nonce, data, None)", "AES-GCM, 5 MB", f"{CIPHER}data = bytes(5 * 10**6)", ((RELEASES, AEAD),)),
    Case("cryptography", "cipher.encrypt(nonce, data, None)", "AES-GCM, 50 MB", f"{CIPHER}data = bytes(50 * 10**6)", ((RELEASES, AEAD),)),
    Case("cryptography", "key.sign(b'text', pad, sha)", "RSA, 3072 bits", KEY, ((RELEASES, "https://github.com/pyca/cryptography/pull/14370"),)),
    Case("bcrypt", "bcrypt.hashpw(b'secret', salt)", "8 rounds", "import bcrypt; salt = bcrypt.gensalt(8)", ((RELEASES, "https://github.com/pyca/bcrypt/pull/355"),)),
    Case("argon2-cffi", "hasher.hash(b'secret')", "by default, 1 lane", "import argon2; hasher = argon2.PasswordHasher(parallelism=1)", ((RELEASES, "https://github.com/hynek/argon2-cffi/blob/HEAD/FAQ.md"),)),
    Case("xxhash", "xxhash.xxh3_64_digest(data)", "50 MB", "import xxhash; data = bytes(50 * 10**6)", ((RELEASES, XXHASH),)),
    Case("blake3", "blake3.blake3(data).digest()", "20 MB", "import blake3; data = bytes(20 * 10**6)", ((RELEASES, "https://github.com/oconnor663/blake3-py/blob/HEAD/src/lib.rs"),)),
    Case("zstandard", "zstandard.compress(text)", "2.3 MB", f"import zstandard; {TEXT}", ((RELEASES, f"{ZSTANDARD}/issues/208"),)),
    Case("zstandard", "zstandard.decompress(packed)", "23 MB", f"import zstandard; {TEXT}; packed = zstandard.compress(text * 10)", ((RELEASES, f"{ZSTANDARD}/issues/208"),)),
    Case("lz4", "lz4.frame.compress(text)", "2.3 MB", f"import lz4.frame; {TEXT}", ((RELEASES, f"{LZ4}/blob/HEAD/README.rst"),)),
    Case("lz4", "lz4.block.decompress(packed)", "23 MB", f"import lz4.block; {TEXT}; packed = lz4.block.compress(text * 10)", ((RELEASES, f"{LZ4}/issues/269"),)),
    Case("brotli", "brotli.compress(text, quality=5)", "2.3 MB", f"import brotli; {TEXT}", ((RELEASES, "https://github.com/google/brotli/blob/HEAD/CHANGELOG.md"),)),
    Case("blosc2", "blosc2.compress2(x, nthreads=1)", "10⁶ doubles", f"import blosc2; {FLOATS}", ((HOLDS, BLOSC2),)),
]  # fmt: skip

HEADS = "package", "call", "claimed", "others waited", "2 threads gain", "measured"
NOT_HEARD, DIED = "—", "died"
PAGE = "docs/guide/verdicts-of-packages.md"
LIMIT = 240  # seconds a call may take with its preparations
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def measure(number: int, threads: tuple[int, ...]) -> None:
    """In a process of its own: what was measured, as JSON."""
    from pycrust.bench import threadable

    case = CASES[number]
    names: dict[str, object] = {}
    exec(case.setup, names)
    result = threadable(eval(f"lambda: {case.call}", names), threads=threads, name=case.call)
    heard = len(threads) > 1 and result.control is not None and result.control.tells
    measured = {
        "stalled": result.stalled,
        "gain": result.speedup(2) if heard else None,
        "verdict": result.verdict,
        "near": result.near is not None,
        "by_share": result.by_share,
    }
    print(f"\n{json.dumps(measured)}", flush=True)
    os._exit(0)  # whatever threads and finalizers the package has


def measured(number: int) -> dict[str, object] | str:
    """What was measured, or why not."""
    died = ""
    for threads in ("1", "2"), ("1",):
        command = [sys.executable, __file__, "--measure", str(number), *threads]
        environment = {**os.environ, **ONE_THREAD}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment, check=False)
        except subprocess.TimeoutExpired:
            died = "does not end"
            continue
        if done.returncode == 0:
            return {**json.loads(done.stdout.splitlines()[-1]), "died": died}
        if done.returncode > 0:  # an exception, as of an import
            return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "failed"
        died = signal.Signals(-done.returncode).name
    return died


def row(case: Case, result: dict[str, object]) -> tuple[str, ...]:
    """As the cells of a row."""
    package = f"{case.package} {version(case.package)}" if case.package else "standard library"
    claimed = ", ".join(f"[{word}]({link})" for word, link in case.claims)
    near = ", near the limit" if result["near"] else ""
    gain = f"{result['died']}" if result["died"] else f"×{result['gain']:.2f}" if result["gain"] else NOT_HEARD
    return (
        package,
        f"`{case.call}`, {case.what}",
        claimed,
        f"{result['stalled']:.0%}",
        gain,
        f"{result['verdict']}{near}",
    )


def names() -> list[str]:
    """What to install."""
    return sorted({case.package for case in CASES if case.package}, key=str.lower)


def line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def intro(count: int, packages: int, head: str) -> str:
    return f"""\
# Who holds the GIL?

{count} functions of {packages} packages and the standard library: what is said of them, in their documentation, their code or an
issue tracker, and what `pycrust threadable` measured. *Claimed* is empty where nothing was found. It often is not what is
measured: a claim may be old, of another function, or of the longest part of a call.

Anyone can make this page again, with the versions that they use:

```console
$ pip install . $(python tests/tools/verdicts_of_packages.py --requirements)
$ python tests/tools/verdicts_of_packages.py                # a table; with words, the calls in which one of them occurs
$ python tests/tools/verdicts_of_packages.py --markdown     # this page
```

Others waited
: for so much of the time another Python thread had to wait for the GIL: {HOLDS} from 80 % on, {RELEASES} up to 15 %. See
  {{doc}}`verdicts`

2 threads gain
: the time of two calls in a row, divided by that of two calls in two threads. {NOT_HEARD}: plain C, which needs no GIL, gained too
  little at that moment, so that the speed-up meant nothing. A signal: the process died in two threads of this call, which is not
  safe there; the waits were measured with one

Each call ran in a process of its own, with `OMP_NUM_THREADS=1` and the like, so that a package's own threads did not hide what
two callers gain. polars keeps its own.

{head}

"""


def differences(rows: list[tuple[Case, dict[str, object]]]) -> str:
    """Where what is claimed is not what was measured."""
    lines = []
    for case, result in rows:
        for word, link in case.claims:
            if result["by_share"] in (HOLDS, RELEASES, "partly") and word != result["by_share"]:
                package = f"{case.package} {version(case.package)}" if case.package else "standard library"
                measured = f"{result['by_share']} ({result['stalled']:.0%})"
                lines.append(f"- {package}, `{case.call}`, {case.what}: [{word}]({link}) · measured: {measured}")
    return "## Where the two differ\n\n" + "\n".join(lines) + "\n" if lines else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0].strip())
    parser.add_argument("chosen", nargs="*", help="only calls in which one of these occurs")
    parser.add_argument("--markdown", action="store_true", help=f"the page {PAGE}, to standard output")
    parser.add_argument("--requirements", action="store_true", help="the names of the packages")
    parser.add_argument("--measure", nargs="+", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.requirements:
        print(*names())
        return
    if options.measure:
        number, *threads = options.measure
        measure(number, tuple(threads))
    from pycrust.bench.machine import Machine

    chosen = [
        (number, case)
        for number, case in enumerate(CASES)
        if not options.chosen or any(part in f"{case.package} {case.call}" for part in options.chosen)
    ]
    head = f"{time.strftime('%Y-%m-%d')}: " + " · ".join(Machine.this().lines())
    if options.markdown:
        print(intro(len(chosen), len({case.package for _, case in chosen if case.package}), head), end="")
    else:
        print(head, end="\n\n")
    print(line(HEADS), line(("---",) * len(HEADS)), sep="\n", flush=True)
    rows, missing = [], []
    for number, case in chosen:
        try:
            result = measured(number) if not case.package or version(case.package) else ""
        except PackageNotFoundError:
            result = "not installed"
        if isinstance(result, str):
            missing.append(f"{case.package or 'standard library'}, `{case.call}`: {result}")
            continue
        rows.append((case, result))
        print(line(row(case, result)), flush=True)
    print(f"\n{differences(rows)}", end="")
    if missing:
        print("\nNot measured:\n", *(f"- {each}" for each in missing), sep="\n")


if __name__ == "__main__":
    main()
