%% Matches of bits with constants before fields, whose later fields need room on the heap: fields that were read before
%% that must still be there, for what comes next and for the collector.
-module(bit_matches).
-export([cases/0, tail/2, sum/1, list/1, two/1, bits/1, guarded/2, signed/1, skipped/1, odd/1, pairs/1, deep/2, header/1,
         between/1, behind/2, after_float/1, packet/1, again/2]).

cases() ->
    [{F, [B]} || F <- [sum, list, two, bits, signed, skipped, odd, pairs, header, between, after_float, packet],
                 B <- binaries()]
        ++ [{F, [B, X]} || F <- [tail, guarded, behind, again], B <- binaries(), X <- [1, 5, 255, 16#7fffffff, a]]
        ++ [{deep, [B, N]} || B <- binaries(), N <- [0, 1, 7, 500]].

binaries() ->
    [<<>>, <<9>>, <<9, 5>>, <<9, 5, 88>>, <<9, 1, 3, 2, 5>>, <<9, 5, 88:32>>, <<9, 255, -1:32>>, <<7, 5, 1:7>>, <<7, 5, 3:3>>,
     <<7, -3:16/signed, 1:64, 0>>, <<7, 3:16, -1:64, 0>>, <<7, -3:16, (1 bsl 40):64, 0, 1>>, <<-1:31, 5:33>>, <<-1:160>>,
     <<0:160>>, <<1:1, -1:31, 1:1, -2:31>>, <<1:1, 5:31, 1:1, 6:31>>, <<9, 5, 1.5/float, 6>>, <<9, 5, 2, 1, 2, 3>>,
     <<9, 5, 2, 1:7>>, <<9, 8364/utf8, 1, 2>>, <<5, 255, -1:32, 255, -1:64, "rest">>].

tail(<<9, I, R/binary>>, I) -> R;
tail(_, _) -> no.

sum(<<7, A:16/signed, B:64, _>>) -> A + B.

list(<<9, I, R/binary>>) -> [I + 1 | R].

two(<<9, I, J:32>>) -> J + I.

bits(<<7, N, R/bits>>) when N > 4 -> {N, R};
bits(<<7, N, _/bits>>) -> N;
bits(_) -> no.

guarded(<<9, A, B, C, R/binary>>, A) when B > C -> R;
guarded(<<9, A, B, C, _/binary>>, _) when B =< C -> A + B;
guarded(_, _) -> no.

signed(<<7, A:16/signed, B:64/signed-little, _/bits>>) when A < 0 -> A * B;
signed(<<7, A:16/signed, B:64, R/bits>>) -> {A - B, R};
signed(<<_, A:7, B:33, _/bits>>) -> A bxor B;
signed(_) -> no.

%% No room was made: the first command was to skip.
skipped(<<_:1, A:31, _:1, B:31, _/bits>>) -> A + B;
skipped(_) -> no.

odd(<<1:1, A:31, 1:1, B:31, R/bits>>) -> [A, B | R];
odd(<<0:1, A:31, R/bits>>) -> {A, R};
odd(_) -> no.

pairs(<<1:1, A:31, 1:1, B:31>>) -> A - B;
pairs(<<_:4, A:28, R/bits>>) when A > 5 -> {A, pairs(R)};
pairs(R) -> R.

%% On a stack that grows until there is no room any more.
deep(<<_:1, A:31, _:1, B:31, _/bits>>, 0) -> A bxor B;
deep(<<_:1, A:31, _:1, B:31, R/bits>> = All, N) -> [A + B, R | deep(All, N - 1)];
deep(_, _) -> no.

header(<<9, V:4, L:4, T:16, I:32, R/bits>>) -> {V + L * T, I, R};
header(<<5, V:4, L:4, I:32, T, J:64, R/bits>>) -> [V - L + T | {I * J, R}];
header(_) -> no.

between(<<9, A, B:2/binary, C, R/bits>>) -> {A + C, B, R};
between(<<A, 255, B:32, C, D:64, _/bits>>) -> [A + C, B + D];
between(_) -> no.

%% What is asked for where a comparison fails is behind what is in use where it does not.
behind(<<9, A, B:64, _/bits>>, X) -> {A, B, X};
behind(<<1:1, A:31, R/bits>>, X) -> {A, X, R};
behind(R, X) -> {R, X}.

after_float(<<9, A, F/float, B>>) -> {A + B, F};
after_float(<<9, A, F:32/float, R/bits>>) -> [A + 1, F | R];
after_float(_) -> no.

packet(<<9, T, L, P:L/binary, R/binary>>) -> {T + L, P, R};
packet(<<9, C/utf8, A, R/bits>>) -> [C + A | R];
packet(<<9, T, L, N:L/unit:7, R/bits>>) -> {T - L, N, R};
packet(_) -> no.

again(<<_, I, R/binary>>, I) -> {I, R};
again(<<9, I, J, R/bits>>, I) when J > I -> {J - I, R};
again(<<I, 9, R/bits>>, X) when I =/= X -> [X, I + 1 | R];
again(_, _) -> no.
