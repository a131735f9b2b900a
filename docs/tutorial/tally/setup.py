from Cython.Build import cythonize
from setuptools import Extension, setup

tally = Extension(
    "tally._tally",
    ["src/tally/_tally.pyx", "csrc/tally.c"],
    include_dirs=["csrc"],
    depends=["csrc/tally.h"],
)

setup(ext_modules=cythonize([tally]))
