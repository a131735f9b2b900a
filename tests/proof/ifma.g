# |x| by integer multiply-add (docs/design/block-kernel.md), for E = 0: u = 2^-50, v = 2^-101.
@rnd = float<ieee_64, ne>;
x = rnd(X);                # its size
u = 1b-50;
t = rnd(x + (4 + u));
y = t - 4 - x;
w = y + 2 * u;
{ x in [1b-49, 9007199254740991b-52] ->   # below 2
    @FIX(t, -50) /\ t in [4, 9007199254740991b-50] /\     # in [4, 8): its fraction is T
    @FIX(w, -101) /\ w in [2b-50, 9007199254740991b-101] /\  # in [2u, 4u): its fraction is B
    rnd(t - 4) - (t - 4) in [0, 0] /\
    rnd(y) - y in [0, 0] /\
    rnd(w) - w in [0, 0]
}
y -> t - (x + (4 + u)) + u;
