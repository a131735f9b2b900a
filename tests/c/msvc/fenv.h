typedef struct {
    unsigned long _Fe_ctl, _Fe_stat;
} fenv_t;

extern const fenv_t _Fenv1;
#define FE_DFL_ENV (&_Fenv1)
int fegetenv(fenv_t *);
int fesetenv(const fenv_t *);
