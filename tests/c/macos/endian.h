/* NumPy's headers are those of this machine, and ask for it. */
#include <machine/endian.h>
