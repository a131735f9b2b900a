# x cut in two (docs/design/block-kernel.md), for E = 0: u = 2^-50, v = 2^-101.
@rnd = float<ieee_64, ne>;
x = rnd(X);
u = 1b-50;
t = rnd(x + 6);
r = x - (t - 6);
w = r + 3 * u;
{ @FIX(x, -101) -> |x| in [0, 2251799813685247b-50] ->  # as 0 and all |x| >= 2^-49 are; up to 2 - u
    @FIX(t, -50) /\ t in [4, 9007199254740991b-50] /\
    |r| <= 1b-51 /\
    @FIX(w, -101) /\ w in [2b-50, 9007199254740991b-101] /\
    rnd(t - 6) - (t - 6) in [0, 0] /\
    rnd(r) - r in [0, 0] /\
    rnd(w) - w in [0, 0]
}
r -> x + 6 - t;
