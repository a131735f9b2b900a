# x^2 cut in three (docs/design/block-kernel.md), for E = 0: g1 = 2^-50, g2 = 2^-101, g3 = 2^-153.
@rnd = float<ieee_64, ne>;
x = rnd(X);
square = x * x;
h1 = rnd(square + 4);         # fused: rounded once
p = rnd(square);
e = square - p;               # exact: Boldo and Muller
q1 = h1 - 4;
back = q1 - 3b-50;
t = p - back;
sum = t + e;
h3 = rnd(sum);
r = e - (h3 - t);
h4 = r + 3b-102;
{ |x| in [1b-24, 9007199254740991b-52] ->
    h1 in [4, 9007199254740991b-50] /\ @FIX(h1, -50) /\
    rnd(back) - back in [0, 0] /\
    rnd(t) - t in [0, 0] /\
    h3 in [2b-50, 9007199254740991b-101] /\ @FIX(h3, -101) /\
    rnd(h3 - t) - (h3 - t) in [0, 0] /\
    |r| <= 1b-102 /\ rnd(r) - r in [0, 0] /\
    h4 in [1b-101, 1b-100] /\ @FIX(h4, -153) /\ rnd(h4) - h4 in [0, 0]
}
t -> (square + 4 - h1) - (square - p) + 3b-50;
sum -> (square + 4 - h1) + 3b-50;
r -> sum - h3;
