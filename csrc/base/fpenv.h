/* The kernels need the default floating-point environment: round to nearest, no flush-to-zero, no
 * traps. Set it on entry, and restore the caller's, with its exception flags, on leaving. */
#ifndef PYCRUST_FPENV_H
#define PYCRUST_FPENV_H

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) ||     \
    defined(__NO_SIGNED_ZEROS__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "pycrust is exact only without -ffast-math and its parts: remove them from CFLAGS"
#endif

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>

typedef unsigned fpenv;

static inline fpenv fpenv_enter(void)
{
    fpenv callers = _mm_getcsr();
    _mm_setcsr(0x1f80);
    return callers;
}

static inline void fpenv_leave(fpenv callers)
{
    _mm_setcsr(callers);
}
#else
#include <fenv.h>

typedef fenv_t fpenv;

static inline fpenv fpenv_enter(void)
{
    fpenv callers;
    fegetenv(&callers);
    fesetenv(FE_DFL_ENV);
    return callers;
}

static inline void fpenv_leave(fpenv callers)
{
    fesetenv(&callers);
}
#endif

#endif
