"""
The C core of pycrust, which is linked into this module alone, and its SIMD levels.

The attribute _C_API is a capsule with the table of its functions, which our other modules and those of other packages
(include/pycrust_capi.h) import.
"""

from cpython.pycapsule cimport PyCapsule_New

from pycrust.csrc cimport (
    PC_ABSENT_LEVEL,
    PC_OK,
    PC_UNKNOWN_LEVEL,
    import_core,
    pc_rounding_test_failures,
    pc_simd,
    pc_simd_names,
    pc_simd_usable,
    pc_simd_use,
    pc_status,
)

cdef extern from "core_table.h":
    ctypedef struct pc_core_table:
        pass
    const pc_core_table pc_core

_C_API = PyCapsule_New(<void *>&pc_core, b"pycrust._core._C_API", NULL)


def simd():
    """
    Name the SIMD level in use.

    Returns
    -------
    str
        ``'portable'``, ``'avx2'``, ``'avx512'`` or ``'avx512ifma'``: the best that this CPU and
        operating system can run, found once. Every level gives the same bits.

    Notes
    -----
    Set the environment variable ``PYCRUST_SIMD`` to one of these names before
    the import to force a level. A level that the machine lacks is an
    `ImportError`.

    Examples
    --------
    >>> import pycrust
    >>> pycrust.simd() in ('portable', 'avx2', 'avx512', 'avx512ifma')
    True
    """
    return pc_simd().decode()


cdef str use_simd(str name):
    """Force a SIMD level by its name; returns the name of the previous one."""
    cdef bytes level = name.encode()
    cdef str before = pc_simd().decode()
    cdef pc_status status = pc_simd_use(level)
    if status == PC_OK:
        return before
    known = []
    usable = []
    cdef size_t k = 0
    while pc_simd_names[k] != NULL:
        known.append((<bytes>pc_simd_names[k]).decode())
        if pc_simd_usable(pc_simd_names[k]):
            usable.append((<bytes>pc_simd_names[k]).decode())
        k += 1
    if status == PC_UNKNOWN_LEVEL:
        raise ValueError(f"no SIMD level is called {name!r}; use one of {', '.join(known)}")
    if status == PC_ABSENT_LEVEL:
        raise RuntimeError(
            f"this CPU, operating system or build cannot run SIMD level {name!r}; "
            f"it can run {', '.join(usable)}"
        )
    raise SystemError(f"pycrust: unknown C status {<int>status}")


cdef int use_simd_of_environment() except -1:
    """What PYCRUST_SIMD asks for, at import."""
    from os import environ

    name = environ.get("PYCRUST_SIMD")
    if name:
        try:
            use_simd(name[:40])         # no level has so long a name
        except (ValueError, RuntimeError) as error:
            shown = ascii(name[:40]).strip("'")
            raise ImportError(f"PYCRUST_SIMD={shown}: {error}") from None


def _use_simd(name):
    """Force a level at run time, for tests; returns the previous one."""
    return use_simd(name)


def _rounding_test_failures():
    """How many results of floats needed the exact sum, since the rounding test of a bounded sum failed."""
    return pc_rounding_test_failures()


import_core()
use_simd_of_environment()
