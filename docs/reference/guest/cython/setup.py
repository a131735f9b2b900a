import pycrust
from Cython.Build import cythonize
from setuptools import Extension, setup

setup(
    ext_modules=cythonize([Extension("spread", ["spread.pyx"], include_dirs=[pycrust.get_include()])]),
)
