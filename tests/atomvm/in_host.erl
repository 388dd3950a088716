%% What the small machine of host.c can do: calls, data, funs, errors, and collections in between.
-module(in_host).
-export([start/0, results/0, id/1, fib/1, nothing/0, remote/1, applied/2]).
-record(r, {a = 1, b = two, c = []}).

start() ->
    lines(results()).

lines([Result | Rest]) ->
    erlang:display(Result),
    lines(Rest);
lines([]) ->
    ok.

results() ->
    [
        fib(16), ?MODULE:fib(id(12)), apply(id(?MODULE), id(fib), [id(9)]), even(3001), lists(), tuples(),
        records(#r{}), funs(), integers(), exceptions(), selections(), comparisons(), many(), kept([], 40),
        apply(?MODULE, id(nothing), []), remote(3000), by_funs(fun id/1, 2500), applied(?MODULE, 2500)
    ].

%% Turns end in functions that are called from outside of the module, and by funs.
remote(0) -> done;
remote(N) -> ?MODULE:remote(N - 1).

by_funs(_, 0) -> done;
by_funs(F, N) -> by_funs(F, F(N) - 1).

applied(M, N) when N > 0 -> M:applied(M, N - 1);
applied(_, _) -> done.


id(X) -> X.
nothing() -> nothing.

fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).

even(0) -> true;
even(N) -> odd(N - 1).
odd(0) -> false;
odd(N) -> even(N - 1).

lists() ->
    [A, B | C] = id([1, 2, 3, 4]),
    {A, B, C, length(C), hd(C), tl(C), reverse([1, 2, 3], []), [{X, Y} || X <- [1, 2], Y <- [a, b]], [A | B]}.

reverse([H | T], Acc) -> reverse(T, [H | Acc]);
reverse([], Acc) -> Acc.

tuples() ->
    T = id({a, b, {c}}),
    {_, B, _} = T,
    {B, element(2, T), tuple_size(T), {T, T}, id({}), [element(N, T) || N <- [1, 2, 3]]}.

records(R) ->
    R1 = R#r{b = id(2)},
    R2 = R1#r{a = R1#r.b, c = [R1#r.a]},
    {R1, R2, R2#r{b = two}, caught(fun() -> (id(not_a_record))#r.a end)}.

funs() ->
    A = id(7),
    B = id({free, [A]}),
    F = fun(X, Y) -> {X, Y, A, B} end,
    {F(1, [2]), caught(fun() -> (id(x))(1) end), [G(A) || G <- [fun(X) -> X + A end, fun(X) -> [X, B] end, fun id/1]],
        is_function(F, 2), is_function(F, 3), is_function(A), [arity(G) || G <- [F, fun id/1, fun nothing/0, A]]}.

arity(F) when is_function(F, 2) -> two;
arity(F) when is_function(F, 1) -> one;
arity(F) when is_function(F) -> other;
arity(_) -> none.

integers() ->
    Small = id(134217727),
    Least = id(-134217728),
    [
        Small + 1, Least - 1, Small + Least, Small * Small, Least * -1, Small * 2, id(7) * -3, id(-7) * id(-3),
        id(255) band 15, id(-1) band 255, id(8) bor 3, id(5) bxor 1, id(5) bxor -1, id(-256) bsr 4, id(1) bsl 40,
        id(17) div 5, id(-17) rem 5, id(1 bsl 40) - 1, 134217728 - id(1), -134217729 + id(1), bnot id(7), -id(Least)
        | wide(id(576460752303423487), id(-576460752303423488))
    ].

%% As above, of the small integers of words of 64 bits.
wide(Small, Least) ->
    [
        Small + 1, Least - 1, Small + Least, Small - Least, Least + Least, Least * -1, Small * 2, Small * id(3),
        Small - id(1 bsl 58), 576460752303423488 - id(1), -576460752303423489 + id(1), Small band (1 bsl 40 - 1),
        id(1) bor (1 bsl 40), Small bxor -1, Least bsr 27, Least bsr 1, -Least, id(1 bsl 33) + (1 bsl 34),
        id(-1 bsl 33) - (1 bsl 34), id(1 bsl 30) * (1 bsl 28), id(1 bsl 20) * id(1 bsl 40), Small < Least, Small == Least
    ].

exceptions() ->
    [caught(F) || F <- [
        fun() -> throw({one, [1]}) end, fun() -> error({two, id(2)}) end, fun() -> exit(three) end,
        fun() -> id(1) + id(a) end, fun() -> {a, _} = id({b, [c]}) end, fun() -> case id({1}) of 2 -> ok end end,
        fun() -> hd(id([])) end, fun() -> element(3, id({1})) end, fun() -> no_clause(id(1)) end,
        fun() -> if_end(id(1)) end, fun() -> id(fine) end, fun() -> 1 = catch throw(id(2)) end
    ]] ++ [(catch throw([thrown])), nested(), after_all()].

no_clause(2) -> ok.
if_end(X) -> if X > 1 -> ok end.

caught(F) ->
    try F() of
        Value -> {value, Value}
    catch
        throw:Thrown -> {throw, Thrown};
        error:function_clause -> {error, function_clause};
        Class:Reason -> {Class, Reason}
    end.

nested() ->
    try
        try error(inner) catch error:inner -> throw(outer) end
    catch
        throw:X -> X
    end.

after_all() ->
    X = id([1]),
    try id(X) after id({after_all, X}) end.

selections() ->
    [select(X) || X <- [1, 2, 134217728, 1 bsl 60, a, ok, foo, [], {}, {1, 2}, {1, 2, 3}, [x], {foo, 1}, 9]].

select(1) -> one;
select(134217728) -> large;
select(1152921504606846976) -> larger;
select(a) -> atom;
select(ok) -> fixed_atom;
select(foo) -> foo;
select(2) -> two;
select([]) -> nil;
select({}) -> empty;
select({foo, X}) -> {tagged, X};
select({_, _}) -> pair;
select({_, _, X}) -> X;
select([_ | _]) -> list;
select(_) -> other.

comparisons() ->
    Terms = [id(1), id(2), -1, 134217728, -134217729, 1 bsl 40, 1 bsl 60, a, b, {}, {1}, {a, b}, [], [1], [1, 2]],
    [{X < Y, X >= Y, X == Y, X =:= Y, X /= Y, X =/= Y} || X <- Terms, Y <- Terms] ++ [constants(X) || X <- Terms] ++
        [constants(id(X)) || X <- [134217726, 134217727, -134217728, 576460752303423487, -576460752303423488, 4, 5, 6]].

%% With small integers, among them the largest of both sizes of words.
constants(X) ->
    [
        X < 5, X >= 5, 5 < X, X < a, X >= [], X == 5, X =:= 5, X /= 5, X =/= a, X < 134217727, X >= 134217727,
        X < -134217728, X >= -134217728, X < 576460752303423487, X >= 576460752303423487, X < -576460752303423488,
        X >= -576460752303423488
    ].

many() ->
    many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, [17], {18}, id(19), {20}).

many(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, {T}) ->
    U = [A, B, C, D, E, F, G, H, I, J],
    {U, K + L, M - N, {O, P}, [Q | R], S, T, again(T, S, R, Q, P, O, N, M, L, K, J, I, H, G, F, E, D, C, B, A)}.

again(A, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, Q, R, S, T) ->
    F = fun() -> {A, Q, R, S, T} end,
    F().

kept(Acc, 0) -> Acc;
kept(Acc, N) -> kept([{N, [N | N], fib(4)} | Acc], N - 1).
