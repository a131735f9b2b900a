import pycrust
from setuptools import Extension, setup

setup(
    ext_modules=[Extension("exactmean", ["exactmean.c"], include_dirs=[pycrust.get_include()])],
)
