"""The extension modules; everything else is in pyproject.toml."""

import sys
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

HEADERS = sorted(str(path) for path in Path("csrc").glob("*.h"))
KERNELS = ["csrc/dispatch.c", "csrc/kernels_portable.c", "csrc/kernels_avx2.c", "csrc/kernels_avx512.c"]

# The exact kernels are exact only if every operation rounds once, as written:
# no contraction of a*b+c, no fast-math.
FLAGS = ["/O2", "/fp:precise"] if sys.platform == "win32" else ["-O3", "-ffp-contract=off"]


def extension(name: str, *sources: str) -> Extension:
    return Extension(
        f"pycrust.{name}",
        [f"pycrust/{name}.pyx", *sources, *KERNELS],
        include_dirs=["csrc", numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_25_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_1_25_API_VERSION")],
        depends=HEADERS,
        extra_compile_args=FLAGS,
    )


setup(
    ext_modules=cythonize(
        [
            extension("_range", "csrc/range.c", "csrc/accumulator.c"),
            extension("_data", "csrc/squares.c", "csrc/accumulator.c"),
        ],
        compiler_directives={"language_level": 3, "boundscheck": False, "wraparound": False},
    )
)
