# x by integer multiply-add, with its sign, for E = 0: u = 2^-50, v = 2^-101.
@rnd = float<ieee_64, ne>;
x = rnd(X);
u = 1b-50;
t = rnd(x + 6);
y = t - 6 - x;
w = y + 3 * u;
{ @FIX(x, -101) -> |x| in [0, 2251799813685247b-50] ->  # up to 2 - u
    @FIX(t, -50) /\ t in [4, 9007199254740991b-50] /\
    |y| <= 1b-51 /\
    @FIX(w, -101) /\ w in [2b-50, 9007199254740991b-101] /\
    rnd(t - 6) - (t - 6) in [0, 0] /\
    rnd(y) - y in [0, 0] /\
    rnd(w) - w in [0, 0]
}
y -> t - (x + 6);
