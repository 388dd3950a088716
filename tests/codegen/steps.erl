%% Native code for GDB to step through: see test_locations.py. It calls nothing but itself, and one BIF at the end.
-module(steps).
%% All are exported so that the compiler does not know their arguments.
-compile([export_all, nowarn_export_all]).

run() ->
    List = seq(1, 6),
    [A, B | _] = reverse(List, []),
    Sum = sum(List),
    Tuple = pair(A, B, Sum),
    Tree = insert(4, insert(1, insert(3, insert(7, insert(5, leaf))))),
    Kinds = [kind(K) || K <- [a, 7, [], [x], {1}, {two, 2}, 12, b]],
    Fib = fib(5),
    Caught = caught(3, not_a_number),
    Many = many(1, 2, 3, 4, 5, 6),
    done({Tuple, flatten(Tree, []), Kinds, Fib, Caught, Many}).

seq(N, N) -> [N];
seq(N, M) -> [N | seq(N + 1, M)].

reverse([H | T], L) -> reverse(T, [H | L]);
reverse([], L) -> L.

sum([H | T]) -> H + sum(T);
sum([]) -> 0.

pair(A, B, C) when A > B -> {pair, B, {A, C}};
pair(A, B, C) -> {pair, A, {B, C}}.

insert(K, leaf) -> {node, K, leaf, leaf};
insert(K, {node, L, Left, Right}) when K < L -> {node, L, insert(K, Left), Right};
insert(K, {node, L, Left, Right}) -> {node, L, Left, insert(K, Right)}.

flatten(leaf, Rest) -> Rest;
flatten({node, K, Left, Right}, Rest) -> flatten(Left, [K | flatten(Right, Rest)]).

kind(a) -> first;
kind(b) -> second;
kind(7) -> seven;
kind([]) -> nil;
kind([_ | _]) -> list;
kind({_}) -> one;
kind({two, N}) -> {two, N + 1};
kind(N) -> N * 2 - 1.

fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).

caught(X, Y) ->
    Z = fib(X),
    try add(Z, Y) of
        Sum -> {fine, Sum, X}
    catch
        error:Reason -> {Reason, X, Y, Z}
    end.

add(X, Y) -> X + Y.

%% More values at once than CPU registers; moved about, some unused.
many(A, B, C, D, E, F) ->
    G = A + B * C,
    H = turn(D, G, E),
    {X, Y} = both(H, F),
    I = Y - X,
    turn({A, I}, [H | G], [F]).

turn(A, B, C) -> {C, A, B}.

both({A, _, B}, C) -> {A + C, B}.

done(Result) -> Result.
