#define INFINITY ((float)(1e+300 * 1e+300))
#define NAN (-(float)(INFINITY * 0.0F))
#define isfinite(x) ((x) - (x) == 0)

double fabs(double);
double frexp(double, int *);
