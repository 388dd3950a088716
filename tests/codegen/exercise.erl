%% What must come out the same interpreted and native. run/0 gives a list of results, exceptions with their stack traces.
-module(exercise).
-export([run/0, back/1, step/2, fib/1, tak/3, ext/1]).

run() ->
    [attempt(F) || F <- cases()].

cases() ->
    [fun() -> fib(20) end,
     fun() -> tak(8, 5, 2) end,
     fun() -> nrev(lists:seq(1, 50)) end,
     fun() -> sort([5, 3, a, {1, 2}, 9.5, 3.0, "text", 1 bsl 80, -7, [], <<"b">>, 3]) end,
     fun() -> big(1, 60) end,
     fun() -> [small_limits(N) || N <- [0, 1, -1, 134217727, -134217728, 134217728, 1 bsl 70]] end,
     fun() -> count(100000, 0) end,
     fun() -> hanoi(7, a, b, c, []) end,
     fun() -> [kind(T) || T <- terms()] end,
     fun() -> [size_of(T) || T <- terms()] end,
     fun() -> [digit(N) || N <- [0, 1, 2, 3, 4, x, -1]] end,
     fun() -> [{X, Y, X < Y, X =< Y, X == Y, X =:= Y, X /= Y, X =/= Y, compare(X, Y)} || X <- terms(), Y <- terms()] end,
     fun() -> queens(5) end,
     fun() -> add(1, x) end,
     fun() -> add([], 1.5) end,
     fun() -> deep(5, x) end,
     fun() -> no_clause(3) end,
     fun() -> match(4) end,
     fun() -> which(7) end,
     fun() -> choose(5) end,
     fun() -> back([1, 2, 3]) end,
     fun() -> back([1, b, 3]) end,
     fun() -> ext(10) end,
     fun() -> atom_to_list(17) end,
     fun() -> tail_bif(17) end,
     fun() -> nowhere:to_be_found(1) end,
     fun() -> swapped({1, 2}, 3) end,
     fun() -> update({a, b, c}, 2) end,
     fun() -> build(1000, []) end,
     fun() -> collect(200, []) end,
     fun() -> [integers(X, Y) || X <- [7, -7, 1 bsl 70, 134217727, -134217728], Y <- [2, -1, 3, 1 bsl 65]] end,
     fun() -> integers(1, 0) end,
     fun() -> integers(a, 2) end,
     fun() -> [guarded(X) || X <- terms()] end,
     fun() -> [map(fun(X) -> {X} end, [1, 2]), map(fun id/1, [3]), map(fun ?MODULE:fib/1, [5, 6])] end,
     fun() -> map(fun(X, _) -> X end, [1]) end,
     fun() -> map(not_a_fun, [1]) end,
     fun() -> map(fun(X) -> X + y end, [1]) end,
     fun() -> [caught(X) || X <- [1, throw, exit, error, {a, b}]] end,
     fun() -> nested(3) end,
     fun() -> length(lists:seq(1, 10000)) + count_all(lists:seq(1, 9000)) end,
     fun() -> count_all([1 | 2]) end,
     fun() -> messages(100) end].

attempt(F) ->
    try F() of
        Value -> {ok, Value}
    catch
        Class:Reason:Trace ->
            {Class, Reason, [{M, N, A, [L || {K, _} = L <- Where, K =/= error_info]} || {M, N, A, Where} <- Trace, M =:= ?MODULE]}
    end.

terms() ->
    [0, 1, -1, 1.0, 1 bsl 40, -(1 bsl 40), a, b, [], [1], [a | b], {}, {1}, {1, 2}, {a, 2}, "abc", <<>>, <<1>>, #{}, #{a => 1}, 2.5].

fib(0) -> 0;
fib(1) -> 1;
fib(N) -> fib(N - 1) + fib(N - 2).

tak(X, Y, Z) when Y < X -> tak(tak(X - 1, Y, Z), tak(Y - 1, Z, X), tak(Z - 1, X, Y));
tak(_, _, Z) -> Z.

nrev([H | T]) -> append(nrev(T), [H]);
nrev([]) -> [].

append([H | T], L) -> [H | append(T, L)];
append([], L) -> L.

sort([]) -> [];
sort([P | T]) -> {Below, Above} = split(P, T, [], []), append(sort(Below), [P | sort(Above)]).

split(_, [], Below, Above) -> {Below, Above};
split(P, [H | T], Below, Above) when H < P -> split(P, T, [H | Below], Above);
split(P, [H | T], Below, Above) -> split(P, T, Below, [H | Above]).

big(N, 0) -> N;
big(N, I) -> big(N * I + 1, I - 1).

small_limits(N) ->
    {N + 1, N - 1, N * 2, N * N, N band 255, N bor 1, N bxor 5, 1 - N, -5 + N, N * -3, 3 + N}.

count(0, N) -> N;
count(I, N) -> count(I - 1, N + 1).

hanoi(0, _, _, _, Moves) -> Moves;
hanoi(N, From, To, By, Moves) ->
    hanoi(N - 1, By, To, From, [{From, To} | hanoi(N - 1, From, By, To, Moves)]).

kind(T) when is_integer(T) -> integer;
kind(T) when is_float(T) -> float;
kind(true) -> true;
kind(T) when is_atom(T) -> atom;
kind([]) -> nil;
kind([_ | T]) when is_list(T) -> list;
kind([_ | _]) -> improper;
kind({}) -> empty;
kind({a, _}) -> tagged;
kind(T) when is_tuple(T) -> tuple;
kind(T) when is_map(T) -> map;
kind(T) -> {other, T}.

size_of({}) -> 0;
size_of({_}) -> 1;
size_of({_, _}) -> 2;
size_of(_) -> none.

digit(0) -> zero;
digit(1) -> one;
digit(2) -> two;
digit(3) -> three;
digit(x) -> ten;
digit(_) -> other.

compare(X, Y) when X =:= Y -> same;
compare(X, Y) when X == Y -> equal;
compare(X, Y) when X < Y -> below;
compare(X, Y) when X > Y -> above.

queens(N) -> place(N, N, []).

place(_, 0, Board) -> [Board];
place(N, Row, Board) -> tries(N, N, Row, Board).

tries(_, 0, _, _) -> [];
tries(N, Column, Row, Board) ->
    Rest = tries(N, Column - 1, Row, Board),
    case safe(Column, 1, Board) of
        true -> append(place(N, Row - 1, [Column | Board]), Rest);
        false -> Rest
    end.

safe(_, _, []) -> true;
safe(C, _, [C | _]) -> false;
safe(C, D, [Q | _]) when Q =:= C + D; Q =:= C - D -> false;
safe(C, D, [_ | T]) -> safe(C, D + 1, T).

add(X, Y) -> X + Y.

deep(0, X) -> X + 1;
deep(N, X) ->
    Result = deep(N - 1, X),
    [Result].

no_clause(1) -> one;
no_clause(2) -> two.

match(X) ->
    {ok, Y} = step(X, fail),
    Y.

step(X, ok) -> {ok, X};
step(X, _) -> {error, X}.

which(X) ->
    case X of
        1 -> one;
        {2} -> two
    end.

choose(X) ->
    if
        X < 1 -> below;
        X > 100 -> above
    end.

%% Through the interpreter and back: lists:foldl/3 calls a fun, which calls a function here.
back(L) ->
    lists:foldl(fun(X, Sum) -> plus(X, Sum) end, 0, L).

plus(X, Y) ->
    Z = X + Y,
    id(Z).

id(X) -> X.

ext(0) -> [];
ext(N) -> [?MODULE:step(N, ok) | ?MODULE:ext(N - 1)].

tail_bif(X) -> atom_to_list(X).

swapped({A, B}, C) -> three(C, B, A).

three(A, B, C) -> {A, B, C}.

update(T, N) -> setelement(N, T, {element(1, T), new}).

build(0, L) -> length(L);
build(N, L) -> build(N - 1, [{N, [N, N + 1]} | L]).

collect(0, L) -> L;
collect(N, L) ->
    erlang:garbage_collect(),
    collect(N - 1, [{N, id(length(L))} | tail(L)]).

tail([_, _ | T]) -> T;
tail(L) -> L.

integers(X, Y) ->
    {X div Y, X rem Y, X bsl 3, X bsr 2, -X, bnot X, abs(X), X bsl (Y band 7)}.

guarded(X) when is_binary(X) -> {binary, byte_size(X)};
guarded(X) when is_function(X) -> function;
guarded(X) when is_pid(X); is_port(X); is_reference(X) -> identity;
guarded(X) when hd(X) =:= a -> {starts, tl(X)};
guarded(X) when element(2, X) =:= 2 -> {second, tuple_size(X)};
guarded(X) when length(X) > 2 -> long;
guarded(X) when map_size(X) > 0; X div 2 =:= 0 -> half;
guarded(X) when is_number(X) -> X / 4;
guarded(_) -> self() =:= self().

map(F, [H | T]) -> [F(H) | map(F, T)];
map(_, []) -> [].

caught(X) ->
    try raise(X) of
        Y -> {fine, Y}
    catch
        throw:T -> {threw, T};
        error:E:Trace -> {failed, E, length(Trace) > 0, catch raise({again, X})}
    after
        put(caught, X)
    end.

raise(throw) -> throw(ball);
raise(exit) -> exit(out);
raise(error) -> error(bad);
raise({A, B}) -> A + B;
raise(X) -> X.

nested(0) -> error(deepest);
nested(N) ->
    try nested(N - 1)
    catch
        error:Reason -> error({N, Reason})
    end.

count_all(L) -> length(L).

messages(N) ->
    Self = self(),
    Pid = spawn(fun() -> echo(Self) end),
    Result = ping(Pid, N, []),
    Pid ! stop,
    Result.

ping(_, 0, L) -> L;
ping(Pid, N, L) ->
    Pid ! {N, [N]},
    receive
        {M, X} -> ping(Pid, N - 1, [M + N, X | L])
    end.

echo(To) ->
    receive
        stop -> ok;
        {N, L} -> To ! {N * 2, [N | L]}, echo(To)
    end.
