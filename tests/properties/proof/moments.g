# A number added beside its square, for k' = 0: a in [1, 2], gd = 2^-52.
@rnd = float<ieee_64, ne>;
a = rnd(A);
x = rnd(X);
exact = a + x;
g = rnd(exact);
back = a - g;
lost = back + x;
b = rnd(B);           # after 1024 additions, each of at most gd / 2
sum = rnd(b + lost);
{ a in [1, 2] -> exact in [1, 2] -> @FIX(x, -106) ->  # as all |x| >= 2^-54 are; below, g = a and nothing is lost
  |b| in [0, 1024b-53] ->
    rnd(back) - back in [0, 0] /\
    |lost| <= 1b-53 /\ rnd(lost) - lost in [0, 0] /\
    |sum - (b + lost)| <= 1025b-106   # i gd 2^-54 for i = 1025
}
lost -> exact - g;
