%% A little of everything: its operations are given operands that no compiler makes.
-module(odd).
-export([huge/1, bits/1, made/3, chosen/1, maps/2, loops/2, caught/1, waiting/1, funs/1, floats/2, records/2, appended/2]).

huge(<<_:8, _:18446744073709551616>>) -> true;
huge(<<A:8, 16#123456789abcdef0:64, _/bits>>) -> A;
huge(_) -> false.

bits(<<1, A:7, B:33/signed, C:64/float, D:2/binary, E/utf8, R/bits>>) -> {A + B, C, D, E, R};
bits(<<N, V:N/unit:3, _/bits>>) -> V;
bits(_) -> no.

made(A, B, C) -> <<A:16/little, 7:4, B:12, C/binary, "abc", A/utf8>>.

chosen(1) -> one; chosen(2) -> two; chosen(3) -> three; chosen(a) -> b; chosen([H | T]) -> {H, T}; chosen({X, _}) -> X;
chosen(X) when is_float(X); is_map(X) -> X.

maps(M, K) -> #{a := V} = M, M#{K => V, a := K, b => [M]}.

loops(0, A) -> A;
loops(N, A) when N > 0 -> loops(N - 1, A * N div 2 + length([A]) bsl 3).

caught(F) -> try F() catch error:R:S -> {R, S, (catch throw(R))} after put(a, F) end.

waiting(R) -> receive {R, V} -> V; other -> R after 5 -> self() ! R end.

funs(F) -> G = fun(X) -> F(X, F) end, lists:map(G, [1, F]).

floats(A, B) when is_float(A), is_float(B) -> A * B + 0.5 - B / 2.0.

-record(r, {a, b = 1, c}).
records(#r{a = A} = R, X) -> R#r{b = X, c = A}.

appended(A, B) -> << <<(X + 1):16>> || <<X:8>> <= <<A/binary, B>> >>.
