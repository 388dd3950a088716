%% Straight code whose values stay in CPU registers, arithmetic at the limits of small integers, selections: run/1 gives
%% what must come out the same interpreted and native, for one in so many of the operands.
-module(exercise_straight).
-compile([{inline, [{pair, 2}]}]).
-export([run/1, id/1]).

run(Step) ->
    Numbers = some(Step, numbers()), Terms = some(Step, terms()),
    [{binary, [attempt(fun() -> F(X, Y) end) || F <- binary(), X <- Numbers, Y <- Numbers]},
     {unary, [attempt(fun() -> F(X) end) || F <- unary(), X <- Numbers ++ [a, [], {}]]},
     {kinds, [attempt(fun() -> F(X) end) || F <- kinds(), X <- Terms]},
     {pairs, [attempt(fun() -> F(X, Y) end) || F <- pairs(), X <- Terms, Y <- Terms]},
     {bytes, [bytes(X) || X <- lists:seq(-2, 258)]},
     {ranges, [range(X) || X <- [-134217728, -134217727, -5, -1, 0, 1, 5, 134217726, 134217727, 134217728, a]]},
     {select, [[F(X) || X <- selected()] || F <- selections()]},
     {straight, [attempt(fun() -> F(X, Y, Z) end) || F <- straight(), X <- Terms, Y <- [1, {2, 3}, [4, 5 | 6]], Z <- [a, 7]]},
     {sum, sum(lists:seq(1, 2000), 0, 0, 1)},
     {shuffle, [shuffle(20, a, b, c, d), shuffle(21, {1}, [2], 3, "4")]},
     {deep, deep([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [])},
     {updates, updates(50, {0, 0, []})}].

some(Step, [H | T] = L) -> [H | some(Step, lists:nthtail(min(Step, length(L)) - 1, T))];
some(_, []) -> [].

attempt(F) ->
    try {ok, F()}
    catch Class:Reason:Trace -> {Class, Reason, [{N, A, L} || {?MODULE, N, A, [_ | _] = L} <- Trace]}
    end.

id(X) -> X.

numbers() ->
    [0, 1, -1, 2, -3, 7, 16, 100, 65535, 11585, -11586, 67108863, 67108864, -67108864, -67108865, 134217727, -134217728,
     134217728, -134217729, 1 bsl 31, -(1 bsl 31), 1 bsl 32, 1 bsl 70, -(1 bsl 70), 1.5, -0.0, 1.0e300, 1.0e-310, x].

terms() ->
    [0, 1, 2, -1, 1.0, 134217728, 1 bsl 60, a, true, false, [], [1], [a | b], {}, {1}, {1, 2}, {a, 2, 3}, "ab", <<>>, <<1, 2>>,
     <<1:3>>, #{}, #{a => 1}, maps:from_list([{N, N} || N <- lists:seq(1, 40)]), fun ?MODULE:id/1, 2.5].

binary() ->
    [fun(X, Y) -> X + Y end, fun(X, Y) -> X - Y end, fun(X, Y) -> X * Y end, fun(X, Y) -> X / Y end, fun(X, Y) -> X div Y end,
    
     fun(X, Y) -> X rem Y end, fun(X, Y) -> X band Y end, fun(X, Y) -> X bor Y end, fun(X, Y) -> X bxor Y end,
     fun(X, Y) when is_integer(Y), Y < 200 -> X bsl Y; (_, _) -> no end,
     fun(X, Y) when is_integer(Y), Y > -200 -> X bsr Y; (_, _) -> no end,
     fun(X, Y) when is_integer(X), is_integer(Y) -> {X + Y, X - Y, X * Y}; (_, _) -> no end,
     fun(X, Y) when X + Y > 0 -> above; (X, Y) when X - Y < 0 -> below; (X, Y) when X * Y =:= 0 -> zero; (_, _) -> no end,
     fun(X, Y) when is_float(X), X * X / Y > X - 3.5 -> {above, X * 3.0 + Y}; (X, Y) when X / Y =< 1.5 -> X; (X, _) -> {X} end,
     fun(X, Y) when X div Y > 1 -> above; (X, Y) when X rem Y =:= 0 -> zero; (_, _) -> no end,
     fun(X, Y) -> A = X + 1, B = A * Y, C = B - X, {A, B, C, A + B + C} end].

unary() ->
    [fun(X) -> -X end, fun(X) -> bnot X end, fun(X) -> abs(X) end, fun(X) -> X + 1 end, fun(X) -> X - 1 end,
     fun(X) -> X + 134217727 end, fun(X) -> X - 134217728 end, fun(X) -> X + 1000 end, fun(X) -> 5 - X end,
     fun(X) -> 134217727 - X end, fun(X) -> -134217728 - X end, fun(X) -> X * 3 end, fun(X) -> X * -1 end,
     fun(X) -> 1000 * X end, fun(X) -> X * 0 end, fun(X) -> X band 255 end, fun(X) -> X band -16 end,
     fun(X) -> X bor 15 end, fun(X) -> X bor 4096 end, fun(X) -> X bxor 7 end, fun(X) -> X bxor -1 end,
     fun(X) -> X bsl 0 end, fun(X) -> X bsl 3 end, fun(X) -> X bsl 26 end, fun(X) -> X bsl 27 end,
     fun(X) -> X bsl 28 end, fun(X) -> X bsr 0 end, fun(X) -> X bsr 1 end, fun(X) -> X bsr 27 end, fun(X) -> X bsr 31 end,
     fun(X) -> X bsr 40 end, fun(X) -> X div 2 end, fun(X) -> X rem 2 end, fun(X) -> X div -1 end,
     fun(X) -> X rem 10 end, fun(X) -> X div 10 end, fun(X) -> X + 16#123456789 end, fun(X) -> 16#80000000 - X end,
     fun(X) -> X band 16#FFFFFFFF end, fun(X) -> X =:= 134217728 end, fun(X) -> X == 1180591620717411303424 end,
     fun(X) -> {X, 16#FFFFFFFFFF, -16#FFFFFFFFFF} end,
     fun(X) when abs(X) > 5 -> far; (X) when -X > 0 -> negative; (X) when bnot X < 0 -> no; (_) -> other end,
     fun(X) -> X + [] end].

kinds() ->
    [fun(X) -> hd(X) end, fun(X) -> tl(X) end, fun(X) -> tuple_size(X) end, fun(X) -> map_size(X) end,
     fun(X) -> element(1, X) end, fun(X) -> element(3, X) end, fun(X) -> not X end, fun(X) -> length(X) end,
     fun(X) -> byte_size(X) end, fun(X) -> size(X) end,
     fun(X) when hd(X) =:= a -> a; (X) when tl(X) =:= [] -> one; (_) -> no end,
     fun(X) when tuple_size(X) > 1 -> large; (X) when element(1, X) =:= 1 -> one; (_) -> no end,
     fun(X) when map_size(X) > 1 -> large; (X) when not X -> negation; (X) when X -> yes; (_) -> no end,
     fun(X) -> [is_atom(X), is_boolean(X), is_integer(X), is_float(X), is_list(X), is_tuple(X), is_map(X), is_binary(X),
                is_function(X), is_number(X), is_bitstring(X)] end,
     fun(X) -> [X < [], X >= [], X == [], [] < X, X < 5, 5 =< X, X < 1 bsl 40, X == 1.0, X /= 1, a < X, X > {}, X =:= 2.5] end,
     fun(X) when X < []; X > 1 bsl 70 -> outside; (X) when [] =< X, X == [] -> nil; (X) when X /= 1.0 -> other; (_) -> one end,
     fun({A, B}) -> {two, B, A}; ({a, A, B}) -> {three, B, A}; ({A}) -> {one, A}; ([A | B]) -> {B, A}; (X) -> {other, X} end,
     fun(X) -> case X of {_} -> 1; {_, _} -> 2; {_, _, _} -> 3; _ -> 0 end end,
     fun(X) -> case X of {1, 2} -> first; {a, Y, _} when Y > 1 -> second; {_, _, _} -> third end end].

pairs() ->
    [fun(X, Y) -> element(X, Y) end,
     fun(X, Y) when element(X, Y) =:= 2 -> two; (X, Y) when element(X, Y) > 0 -> some; (_, _) -> no end,
     fun(X, Y) -> {X < Y, X > Y, X =< Y, X >= Y, X == Y, X /= Y, X =:= Y, X =/= Y} end,
     fun(X, Y) when X =:= Y -> same; (X, Y) when X == Y -> equal; (X, Y) when X < Y -> below; (_, _) -> above end,
     fun(X, Y) -> X and Y end, fun(X, Y) -> X or Y end, fun(X, Y) -> [min(X, Y), max(X, Y)] end,
     fun(X, Y) when X and Y -> both; (X, Y) when X or Y -> one; (_, _) -> none end].

%% What is known of X leaves out checks.
bytes(X) when is_integer(X), 0 =< X, X < 256 ->
    {X + 1, X - 1, X * X, X * 1000, X div 2, X div 16, X div 1, X rem 8, X rem 1, X rem 10, X bsl 4, X bsl 19, X bsl 20, X bsr 3,
     X band 15, X bor 256, X bxor 255, -X, bnot X, abs(X), X < 128, X =:= 77, X == 77, X >= 200, X rem 3 =:= 0};
bytes(X) -> {none, X}.

range(X) when is_integer(X), -134217728 =< X, X =< 134217727 ->
    {X + 1, X - 1, X + X, X * 2, X * -1, -X, abs(X), bnot X, X bsl 1, X bsr 5, X div 3, X rem 3, X < 0, 5 - X};
range(X) -> X.

selected() ->
    [-3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 20, 100, 1000, 100000, 134217727, -134217728, 134217728, 1.0, 2.5, -0.0, -134217729, 1 bsl 40, -(1 bsl 40),
     a, b, c, d, e, f, g, h, true, [], {}, {1}, {1, 2}, {1, 2, 3}, [1], "a"].

selections() ->
    [fun(0) -> zero; (1) -> one; (2) -> two; (3) -> three; (4) -> four; (5) -> five; (_) -> other end,
     fun(-2) -> m2; (-1) -> m1; (1) -> one; (3) -> three; (4) -> four; (6) -> six; (7) -> seven; (_) -> other end,
     fun(5) -> 1; (9) -> 2; (20) -> 3; (100) -> 4; (1000) -> 5; (100000) -> 6; (134217727) -> 7; (-134217728) -> 8; (_) -> no end,
     fun(100) -> x; (-3) -> y; (_) -> z end,
     fun(a) -> 1; (b) -> 2; (_) -> 3 end,
     fun(a) -> 1; (b) -> 2; (c) -> 3; (d) -> 4; (e) -> 5; (f) -> 6; (true) -> 7; (_) -> 8 end,
     fun(a) -> 1; (0) -> 2; (c) -> 3; (1) -> 4; (134217728) -> 5; ([]) -> 6; (_) -> 7 end,
     fun(1 bsl 40) -> 1; (1.0) -> 2; (134217728) -> 3; (2) -> 4; (a) -> 5; (-(1 bsl 40)) -> 6; (_) -> 7 end,
     fun(134217728) -> 1; (-134217729) -> 2; (1099511627776) -> 3; (_) -> 4 end,
     fun(1.0) -> 1; (2.5) -> 2; (-0.0) -> 3; (_) -> 4 end,
     fun({}) -> 0; ({_}) -> 1; ({_, _}) -> 2; (_) -> none end].

%% Values that are read again, and lost, in the midst of a clause.
straight() ->
    [fun(X, Y, Z) -> pair(pair(X, Y), pair(Z, X)) end,
     fun([A, B | C], Y, Z) when A > B, C =:= Y -> {1, A, B, C, Z};
        ([A | B], {C, D}, Z) when A =:= C; B =:= D -> {2, A, B, C, D, Z};
        ([A | B], [C | D], Z) -> [{C, A}, B | [D, Z]];
        ({A, B}, {C, D}, _) when A + C > B + D -> {3, A, B, C, D};
        ({A, B}, {C, D}, Z) when A + C =< B * D -> {4, A, B, C, D, Z};
        ({A, B, C}, Y, Z) -> {D, E} = Y, {5, A, B, C, D, E, Z};
        (X, Y, Z) -> {X, Y, Z} end,
     fun(X, Y, Z) -> [A | B] = Y, {C, D} = {B, A}, {id(C), id(D), X, Z} end,
     fun(X, {Y, Z}, W) -> A = X + Y, B = A - Z, C = B * A, try C + W catch error:badarith -> {A, B, C} end; (_, _, _) -> no end,
     fun(X, Y, Z) -> {A, B, C} = {Z, X, Y}, id([C, B, A]) end,
     fun(X, Y, Z) when element(1, Y) + 1 =:= 3, element(2, Y) > 2, X < Z -> {element(2, Y), X}; (X, _, _) -> X end].

pair(X, Y) -> {Y, X}.

sum([N | T], Even, Odd, Product) when N rem 2 =:= 0 -> sum(T, Even + N, Odd, Product * N rem 1000003 + 1);
sum([N | T], Even, Odd, Product) -> sum(T, Even, Odd + N * N, Product bxor N);
sum([], Even, Odd, Product) -> {Even, Odd, Product}.

shuffle(0, A, B, C, D) -> {A, B, C, D};
shuffle(N, A, B, C, D) when N rem 3 =:= 0 -> shuffle(N - 1, D, C, B, A);
shuffle(N, A, B, C, D) when N rem 3 =:= 1 -> shuffle(N - 1, B, A, D, C);
shuffle(N, A, B, C, D) -> shuffle(N - 1, C, D, [A], {B}).

deep([[A, B, C] | T], Acc) when A < B, B < C -> deep(T, [{C, B, A}, [A | B] | Acc]);
deep([], Acc) -> Acc.

updates(0, State) -> State;
updates(N, {Count, Sum, List} = State) when N band 1 =:= 1 ->
    updates(N - 1, setelement(2, State, Sum + Count + length(List)));
updates(N, {Count, Sum, List}) -> updates(N - 1, {Count + 1, Sum, [{N, Sum} | List]}).
