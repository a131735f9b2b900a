# A bounded sum adds a square (docs/design/bounded.md), for C = 1: g = 2^-52.
@rnd = float<ieee_64, ne>;
s = rnd(S);
x = rnd(X);
exact = s + x * x;
h = rnd(exact);         # fused: rounded once
rho = s - h + x * x;    # what h lost
t = rnd(T);             # after 1024 additions, each of at most g / 2
r = rnd(rho);           # fused
sum = rnd(t + r);
{ s in [1, 2] -> h in [1, 2] -> exact in [1, 2] -> |t| in [0, 1024b-53] ->
    rnd(s - h) - (s - h) in [0, 0] /\
    |rho| <= 1b-53 /\          # g / 2
    |r - rho| <= 1b-107 /\     # g 2^-55
    |sum - (t + r)| <= 1025b-106   # i g 2^-54 for i = 1025
}
rho -> exact - h;
