%% Floats, maps, funs, records and apply: what must come out the same interpreted and native.
%% run/0 gives a list of results, exceptions with their stack traces.
-module(exercise_data).
-export([run/0, fails/1, three/3, id/1, none/0, count_down/2, sum/2]).

-record(point, {x = 0, y = 0.0, name}).
-record(wide, {a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t}).

run() ->
    [ordered(attempt(F)) || F <- floats() ++ maps() ++ funs() ++ records() ++ applies() ++ bifs()].

attempt(F) ->
    try F() of
        Value -> {ok, Value}
    catch
        Class:Reason:Trace -> {Class, Reason, inside(Trace)}
    end.

%% Frames of this module's run, without what is told to explain an error.
inside([{?MODULE, attempt, 1, _} | _]) -> [];
inside([{M, F, A, Where} | T]) -> [{M, F, A, [L || {K, _} = L <- Where, K =/= error_info]} | inside(T)];
inside([]) -> [].

%% The order of keys in a map is another in each node.
ordered(M) when is_map(M) -> {map, lists:sort(ordered(maps:to_list(M)))};
ordered([H | T]) -> [ordered(H) | ordered(T)];
ordered(T) when is_tuple(T) -> list_to_tuple(ordered(tuple_to_list(T)));
ordered(T) -> T.

id(X) -> X.
none() -> nothing.
three(A, B, C) -> {A, B, C}.
fails(X) -> X + nothing.

%% Floats

floats() ->
    [fun() -> [mixed(X) || X <- [0, 1, -1, 134217727, -134217728, 1 bsl 40, -(1 bsl 70), 2.5, -0.0, 1.0e300]] end,
     fun() -> mixed(a) end,
     fun() -> mixed([1]) end,
     fun() -> mixed({2.0}) end,
     fun() -> mixed(1 bsl 1100) end,
     fun() -> mixed(-(1 bsl 1100)) end,
     fun() -> mixed(1 bsl 1023) end,
     fun() -> [power(2.0, N) || N <- [0, 1, 10, 1000, 1023]] end,
     fun() -> power(2.0, 1024) end,
     fun() -> power(-2.0, 1025) end,
     fun() -> quotient(1, 0) end,
     fun() -> quotient(1.0, -0.0) end,
     fun() -> quotient(0.0, 0) end,
     fun() -> [quotient(X, Y) || X <- [1, 7.5, -3], Y <- [2, 0.3, -1 bsl 60]] end,
     fun() -> [{negated(X), 1 / negated(X) < 0} || X <- [1.5, -2.0, 1.0e-310]] end,
     fun() -> term_to_binary({negated(0.0), negated(-0.0)}) end,
     fun() -> mandelbrot(-0.75, 0.1, 200) end,
     fun() -> integral(1000, 0.0) end,
     fun() -> polynomial([1.5, -2.0, 0.25, 3.0], 1.1) end,
     fun() -> [norm({X, Y}) || {X, Y} <- [{3.0, 4.0}, {1.0e160, 1.0}]] end,
     fun() -> many(1.5) end,
     fun() -> guarded(3.0) ++ guarded(30.0) ++ guarded(x) end,
     fun() -> caught_float(1.0e308) end,
     fun() -> overflows_beside(unknown(1.0e300)) end].

mixed(X) ->
    Y = float(X) * 2.0 + 1.25,
    Z = (X - 0.5) / 3,
    {Y, Z, Y - Z, [-Y | Z], X * 1.0}.

power(_, 0) -> 1.0;
power(X, N) -> X * 1.0 * power(X, N - 1).

quotient(X, Y) -> (X + 0.0) / (Y + 0.0).

negated(X) when is_float(X) -> -(X * 1.0).

mandelbrot(Cr, Ci, N) -> mandelbrot(0.0, 0.0, Cr, Ci, N).

mandelbrot(_, _, _, _, 0) -> inside;
mandelbrot(R, I, _, _, N) when R * R + I * I > 4.0 -> {N, R, I};
mandelbrot(R, I, Cr, Ci, N) -> mandelbrot(R * R - I * I + Cr, 2.0 * R * I + Ci, Cr, Ci, N - 1).

integral(0, Sum) -> Sum;
integral(N, Sum) -> integral(N - 1, Sum + 1 / (N * N)).

polynomial(L, X) -> polynomial(L, X, 0.0).

polynomial([C | T], X, Sum) -> polynomial(T, X, Sum * X + C);
polynomial([], _, Sum) -> Sum.

norm({X, Y}) -> {math:sqrt(X * X + Y * Y), X * X / (Y * Y)}.

many(X) ->
    A = X * 1.1, B = A * 1.2, C = B * 1.3, D = C * 1.4, E = D * 1.5, F = E * 1.6, G = F * 1.7,
    H = (A + B) * (C - D) / (E + F) * G,
    {A, [B, C | D], {E, F, {G, H}}}.

guarded(X) when X * 2.5 > 50 -> [large];
guarded(X) when X / 2 > 1 -> [middle];
guarded(_) -> [other].

caught_float(X) ->
    try X * X
    catch error:badarith -> {infinite, X / 2.0}
    end.

%% What fails must do so also if another process uses the float registers before the exception is raised.
overflows_beside(X) ->
    Others = [spawn(fun() -> small_floats(unknown(1.0)) end) || _ <- lists:seq(1, 4)], % one for each scheduler, at least
    Results = [catch_badarith(X, Y) || Y <- lists:duplicate(50, X)],
    [exit(Other, kill) || Other <- Others],
    lists:usort(Results).

catch_badarith(X, Y) when is_float(X), is_float(Y) ->
    try X * Y of
        Z -> {product, Z}
    catch error:badarith -> overflow
    end.

small_floats(X) when is_float(X), X < 2.0 -> small_floats(X * 1.0001 - 1.0e-4);
small_floats(X) -> small_floats(X - 1.0).

%% A value that the compiler does not see through.
unknown(X) ->
    put(unknown, X),
    get(unknown).

%% Maps

maps() ->
    [fun() -> [found(M) || M <- some_maps()] end,
     fun() -> [{is_key(M), at(K, M)} || M <- some_maps(), K <- [a, 7, "text", 1 bsl 70, 2.0, [], {t, 1}, <<"b">>, z]] end,
     fun() -> [shifted(M, b) || M <- some_maps()] end,
     fun() -> new(1, x) end,
     fun() -> {new_by(k, 1), new_by("k", 2), new_by(1.5, 3)} end,
     fun() -> [more(M, new) || M <- some_maps()] end,
     fun() -> [attempt(fun() -> changed(M, a, other) end) || M <- some_maps()] end,
     fun() -> [attempt(fun() -> exactly(M) end) || M <- some_maps()] end,
     fun() -> exactly(id(not_a_map)) end,
     fun() -> more(id([]), 1) end,
     fun() -> changed(#{}, a, 1) end,
     fun() -> changed(maps:from_list([{N, N} || N <- lists:seq(1, 50)]), a, 1) end,
     fun() -> [in_guard(M) || M <- [#{a => 1}, #{a => 2, b => 2}, #{}, none]] end,
     fun() -> Large = large(1, 2, 3), {map_size(Large), Large, maps:get(k17, Large)} end,
     fun() -> {small(1), small(id({x})) =:= #{z => 3, "y" => {x}, 0 => [{x}], [] => 1.5, a => {x}}} end,
     fun() -> M = grown(40, #{}), {map_size(M), M, lists:sum(maps:values(M))} end,
     fun() -> M = grown(500, #{}), maps:size(halved(500, M)) end,
     fun() -> [matched(M) || M <- [#{a => 1, b => 2}, #{a => 1}, #{a => 2, b => 2, c => 3}, #{c => 3}, large(1, 2, 3)]] end,
     fun() -> counted("mississippi", #{}) end,
     fun() -> nested_maps(20, #{level => 0}) end,
     fun() -> same(#{a => 1, b => 2}) end,
     fun() -> literal_map(id(b)) end].

some_maps() ->
    Base = #{a => 1, b => {2}, 7 => seven, "text" => [t], (1 bsl 70) => big, 2.0 => two, [] => nil, {t, 1} => tuple},
    Large = maps:merge(Base, maps:from_list([{{k, N}, N} || N <- lists:seq(1, 60)])),
    [#{}, #{a => 0}, Base, Large, #{b => 1, c => 2}, maps:from_list([{N, -N} || N <- lists:seq(1, 32)])].

found(#{a := X, b := Y, "text" := Z}) -> {three, X, Y, Z};
found(#{7 := X}) -> {seven, X};
found(#{{t, 1} := X}) -> {tuple, X};
found(#{a := X}) -> {a, X};
found(#{c := X}) -> {c, X};
found(#{}) -> none.

is_key(#{a := _, b := _}) -> both;
is_key(#{b := _}) -> b;
is_key(#{"text" := _, 7 := _}) -> text;
is_key(_) -> no.

at(K, M) ->
    case M of
        #{K := V} -> {value, V};
        #{} -> none
    end.

%% The map's register is overwritten by one of its values.
shifted(#{a := X, b := Y}, b) -> three(X, Y, X);
shifted(#{b := M, c := _}, _) -> M;
shifted(M, K) -> three(K, M, K).

new(X, Y) -> #{b => X, a => Y, "s" => {X, Y}, 1 => []}.

new_by(K, V) -> #{K => V}.

more(M, X) -> M#{c => X, a => {X}, "text" => [X | X], 99 => M}.

changed(M, K, V) -> M#{K := V}.

exactly(M) -> M#{7 := [M], "text" := b}.

in_guard(M) when M#{a := 2} =:= #{a => 2, b => 2} -> two;
in_guard(M) when M#{a := 1} =:= M -> one;
in_guard(M) when is_map_key(a, M) -> a;
in_guard(_) -> no.

large(X, Y, Z) ->
    #{k1 => X, k2 => Y, k3 => Z, k4 => X, k5 => Y, k6 => Z, k7 => X, k8 => Y, k9 => Z, k10 => X, k11 => Y, k12 => Z,
      k13 => X, k14 => Y, k15 => Z, k16 => X, k17 => Y, k18 => Z, k19 => X, k20 => Y, k21 => Z, k22 => X, k23 => Y,
      k24 => Z, k25 => X, k26 => Y, k27 => Z, k28 => X, k29 => Y, k30 => Z, k31 => X, k32 => Y, k33 => Z, k34 => X}.

small(X) -> #{z => 3, "y" => X, 0 => [X], [] => 1.5, a => X}.

grown(0, M) -> M;
grown(N, M) -> grown(N - 1, M#{{key, N rem 300} => N, last => N}).

halved(0, M) -> M;
halved(N, M) when N rem 2 =:= 0 -> halved(N - 1, maps:remove({key, N}, M));
halved(N, M) -> halved(N - 1, M).

matched(#{a := 1, b := B}) -> {b, B};
matched(#{a := A} = M) -> {A, lists:sort(maps:keys(M))};
matched(#{k3 := 3, k20 := B, k34 := C}) -> {B, C};
matched(M) -> M.

counted([C | T], M) ->
    case M of
        #{C := N} -> counted(T, M#{C := N + 1});
        #{} -> counted(T, M#{C => 1})
    end;
counted([], M) -> M.

nested_maps(0, M) -> M;
nested_maps(N, #{level := L} = M) -> nested_maps(N - 1, #{level => L + 1, below => M, list => [L, N]}).

same(M) -> {M#{a := 1} =:= M, M#{a => 1}, M#{a => 1, b := 2}}.

literal_map(K) ->
    case #{a => 1, b => 2, c => "three"} of
        #{K := V} -> V
    end.

%% Funs

funs() ->
    [fun() -> [F(5) || F <- adders()] end,
     fun() -> Fs = [closure(N, {N}, [N]) || N <- lists:seq(1, 100)], churn(300), [F(x, y) || F <- Fs] end,
     fun() -> composed([fun(X) -> X + 1 end, fun erlang:abs/1, fun id/1, fun ?MODULE:id/1], -7) end,
     fun() -> {erlang:fun_info(closure(1, 2, 3), env), erlang:fun_info(closure(1, 2, 3), arity)} end,
     fun() -> [is_function(F, A) || F <- [fun id/1, closure(1, 2, 3), fun lists:seq/2, x], A <- [0, 1, 2]] end,
     fun() -> [takes(F) || F <- [fun none/0, fun id/1, closure(1, 2, 3), fun lists:seq/2, x, {}, 1.5, "f"]] end,
     fun() -> {fun id/1 =:= fun id/1, closure(1, 2, 3) =:= closure(1, 2, 3), closure(1, 2, 3) == closure(2, 2, 3)} end,
     fun() -> called(fun none/0) end,
     fun() -> called(fun(X) -> X end) end,
     fun() -> called(closure(a, b, c)) end,
     fun() -> called({not_a, fun_at_all}) end,
     fun() -> called_last(fun fails/1, 1) end,
     fun() -> called_last(fun(_, _) -> x end, 1) end,
     fun() -> called_last(x, 1) end,
     fun() -> called_last(fun ?MODULE:fails/1, []) end,
     fun() -> called_last(fun nowhere:to_be_found/1, []) end,
     fun() -> around(100000, fun(F, N) -> around(N, F) end) end,
     fun() -> Y = fun Sum([H | T]) -> H + Sum(T); Sum([]) -> 0 end, Y(lists:seq(1, 300)) end,
     fun() -> Y = fun Down(0, S) -> S; Down(N, S) -> Down(N - 1, S + N) end, Y(20000, 0) end,
     fun() -> [F() || F <- [captured(X) || X <- [1, 1.5, "a", {b}, #{c => d}, self() =:= self()]]] end,
     fun() -> lists:foldl(fun(X, S) -> X * 2 + S end, 0, lists:seq(1, 1000)) end,
     fun() -> lists:sort(fun(X, Y) -> X > Y end, [3, 1, 2, 5, 4]) end,
     fun() -> lists:map(fun(X) -> X / 0 end, [1]) end,
     fun() -> [X || X <- [1, a, 2.0, "s"], (fun(Y) -> is_number(Y) end)(X)] end,
     fun() -> wide_closure(1, 2, 3, 4, 5, 6, 7, 8) end,
     fun() -> binary_to_term(term_to_binary(closure(1, {2}, [3])), [safe]) =:= closure(1, {2}, [3]) end].

adders() -> [fun(X) -> X + N end || N <- [1, 2, 3]] ++ [fun(X) -> X * X end].

closure(A, B, C) -> fun(X, Y) -> {A, B, C, X, Y} end.

captured(X) ->
    F = fun() -> {X, captured} end,
    fun() -> {F(), X} end.

churn(0) -> ok;
churn(N) -> length(lists:duplicate(N, {N, N})) > 0 andalso churn(N - 1).

composed([F | T], X) -> composed(T, F(X));
composed([], X) -> X.

takes(F) when is_function(F, 0) -> nothing;
takes(F) when is_function(F, 1) -> one;
takes(F) when is_function(F, 2), is_function(F) -> two;
takes(F) when is_function(F) -> more;
takes(F) -> {no_fun, F}.

called(F) ->
    X = F(),
    [X].

called_last(F, X) -> F(X).

%% A loop through a fun: it must not need more and more stack.
around(0, _) -> {heap_is_small, element(2, process_info(self(), total_heap_size)) < 1000000};
around(N, F) -> F(F, N - 1).

wide_closure(A, B, C, D, E, F, G, H) ->
    Inner = fun(X) -> fun(Y) -> [A, B, C, D, E, F, G, H, X, Y] end end,
    (Inner(x))(y).

%% Records

records() ->
    [fun() -> moved(#point{name = start}, 100) end,
     fun() -> P = #point{x = 1}, {P, renamed(P, a), P} end,
     fun() -> all_of(#point{}) end,
     fun() -> renamed(id({point, 1}), a) end,
     fun() -> renamed(id(none), a) end,
     fun() -> wide(#wide{}, 1, 2) end,
     fun() -> W = widest(id(#wide{a = 1, t = 20})), {W, W#wide.b} end,
     fun() -> [X || X <- accumulated(50, #point{}, [])] end,
     fun() -> inplace(200, #point{x = 1}) end,
     fun() -> swapped(#point{x = 1, y = 2, name = 3}) end,
     fun() -> two_steps(#point{}, [a, b]) end,
     fun() -> setelement(2, erlang:append_element({a, b}, c), d) end].

moved(P, 0) -> P;
moved(#point{x = X, y = Y} = P, N) -> moved(P#point{x = X + N, y = Y + 0.5}, N - 1).

renamed(P, Name) -> P#point{name = Name}.

all_of(P) -> P#point{x = P, y = [P], name = {P}}.

wide(W, X, Y) ->
    One = W#wide{a = X, t = Y},
    Two = One#wide{b = One, k = X, l = Y, m = {X}},
    Two#wide{s = W}.

widest(W) -> W#wide{b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9, j = 10, k = 11, l = 12, m = 13, n = 14}.

accumulated(0, _, L) -> L;
accumulated(N, P, L) -> accumulated(N - 1, P#point{x = N}, [P | L]).

inplace(N, P) ->
    Q = P#point{y = make_ref() =:= make_ref()},
    R = Q#point{x = N, name = [N]},
    S = setelement(4, R, {R#point.name}),
    case N of
        0 -> S;
        _ -> inplace(N - 1, S#point{name = element(1, S#point.name)})
    end.

swapped(#point{x = X, y = Y, name = N} = P) -> P#point{x = Y, y = N, name = X}.

two_steps(P, L) ->
    Q = P#point{x = length(L)},
    Q#point{name = fun() -> Q end =:= P}.

%% Apply

applies() ->
    [fun() -> by_name(?MODULE, three, 1, 2, 3) end,
     fun() -> by_name_last(?MODULE, three, 1, 2, 3) end,
     fun() -> by_name(lists, foldl, fun(X, S) -> X + S end, 0, [1, 2, 3]) end,
     fun() -> by_name(?MODULE, missing, 1, 2, 3) end,
     fun() -> by_name_last(nowhere, to_be_found, 1, 2, 3) end,
     fun() -> by_name(1, three, 1, 2, 3) end,
     fun() -> by_name_last(?MODULE, "three", 1, 2, 3) end,
     fun() -> by_name(erlang, apply, ?MODULE, three, [x, y, z]) end,
     fun() -> by_name_last(erlang, apply, ?MODULE, three, [x, y, z]) end,
     fun() -> by_name(erlang, apply, ?MODULE, count_down, [100, []]) end,
     fun() -> by_name(erlang, apply, erlang, apply, [?MODULE, three, [p, q, r]]) end,
     fun() -> by_name(erlang, apply, ?MODULE, three, [x, y, z, a, b, c | d]) end,
     fun() -> by_name_last(erlang, apply, ?MODULE, three, not_a_list) end,
     fun() -> by_name_last(erlang, apply, 1, three, []) end,
     fun() -> by_name(erlang, apply, ?MODULE, fails, [3]) end,
     fun() -> by_name_last(erlang, apply, erlang, error, [oh]) end,
     fun() -> by_name_last(erlang, setelement, 1, {a}, b) end,
     fun() -> by_name_last(erlang, setelement, 2, {a}, b) end,
     fun() -> by_name(erlang, setelement, 2, {a}, b) end,
     fun() -> [one(M, F, X) || {M, F, X} <- [{erlang, abs, -1}, {?MODULE, id, i}, {erlang, length, [1, 2]}]] end,
     fun() -> one_last(?MODULE, id, last) end,
     fun() -> one_last(erlang, error, reason) end,
     fun() -> one_last(erlang, throw, ball) end,
     fun() -> one_last(erlang, exit, out) end,
     fun() -> one_last(erlang, atom_to_list, 17) end,
     fun() -> one(erlang, error, reason) end,
     fun() -> one(?MODULE, fails, 1) end,
     fun() -> one_last(?MODULE, fails, 1) end,
     fun() -> no_arguments(?MODULE, none) end,
     fun() -> no_arguments(?MODULE, nonesuch) end,
     fun() -> no_arguments(?MODULE, {none}) end,
     fun() -> only(?MODULE, none) end,
     fun() -> only(erlang, make_ref) =:= only(erlang, make_ref) end,
     fun() -> [with_list(?MODULE, F, A) || {F, A} <- [{three, [1, 2, 3]}, {none, []}, {sum, [[1, 2, 3], 0]}]] end,
     fun() -> with_list(?MODULE, three, [1, 2]) end,
     fun() -> with_list(?MODULE, three, [1, 2 | 3]) end,
     fun() -> with_list(?MODULE, three, 3) end,
     fun() -> with_list({?MODULE}, three, []) end,
     fun() -> with_list(?MODULE, 3, []) end,
     fun() -> with_list(?MODULE, fails, [7]) end,
     fun() -> with_list(erlang, apply, [?MODULE, sum, [[1, 2], 3]]) end,
     fun() -> with_list(?MODULE, three, lists:seq(1, 2000)) end,
     fun() -> with_list_last(?MODULE, three, [1, 2, 3]) end,
     fun() -> with_list_last(?MODULE, three, [1, 2 | 3]) end,
     fun() -> with_list_last(erlang, error, [x, [y]]) end,
     fun() -> with_list_last(erlang, throw, [y]) end,
     fun() -> with_list_last(erlang, list_to_atom, [z]) end,
     fun() -> with_list_last(erlang, apply, [erlang, error, [deep]]) end,
     fun() -> with_list_only(?MODULE, three, [1, 2, 3]) end,
     fun() -> with_list_only(erlang, exit, [now]) end,
     fun() -> with_list_only(?MODULE, fails, [{}]) end,
     fun() -> count_down(50000, []) end,
     fun() -> [fun_with_list(F, A) || {F, A} <- [{fun id/1, [1]}, {closure(1, 2, 3), [a, b]}, {fun lists:max/1, [[1, 2]]}]] end,
     fun() -> fun_with_list(fun id/1, [1, 2]) end,
     fun() -> fun_with_list(fun id/1, [1 | 2]) end,
     fun() -> fun_with_list(x, [1]) end,
     fun() -> fun_with_list(fun fails/1, [1]) end,
     fun() -> fun_with_list_last(fun id/1, [1]) end,
     fun() -> fun_with_list_last(fun id/1, []) end,
     fun() -> fun_with_list_last(fun erlang:error/1, [why]) end,
     fun() -> fun_with_list_last(fun id/1, x) end,
     fun() -> fun_with_list_last(fun fails/1, [1]) end,
     fun() -> fun_with_list_only(fun three/3, [1, 2, 3]) end,
     fun() -> fun_with_list_only(fun three/3, [1, 2]) end].

by_name(M, F, A, B, C) ->
    Result = M:F(A, B, C),
    {Result, M, F}.

by_name_last(M, F, A, B, C) ->
    nothing = id(none()),
    M:F(A, B, C).

one(M, F, X) -> [M:F(X)].

one_last(M, F, X) ->
    nothing = id(none()),
    M:F(X).

no_arguments(M, F) -> {M:F()}.

only(M, F) -> M:F().

with_list(M, F, A) -> [apply(M, F, A)].

with_list_last(M, F, A) ->
    nothing = id(none()),
    apply(M, F, A).

with_list_only(M, F, A) -> apply(M, F, A).

count_down(0, L) -> {done, L};
count_down(N, L) -> apply(?MODULE, id(count_down), [N - 1, L]).

fun_with_list(F, A) -> [apply(F, A)].

fun_with_list_last(F, A) ->
    nothing = id(none()),
    apply(F, A).

fun_with_list_only(F, A) -> apply(F, A).

sum(L, S) ->
    M = id(?MODULE),
    case L of
        [H | T] -> M:sum(T, S + H);
        [] -> S
    end.

%% Calls of BIFs, in the midst of a function and as its last

bifs() ->
    [fun() -> set(2, {a, b, c}, x) end,
     fun() -> set(4, {a, b, c}, x) end,
     fun() -> set(1, [], x) end,
     fun() -> {set_last(1, {a}, b), set_last(3, {a, b, c}, {x})} end,
     fun() -> set_last(0, {a}, b) end,
     fun() -> set_only(1, {a}, b) end,
     fun() -> set_only(2, {a}, b) end,
     fun() -> T = erlang:make_tuple(200, 0), set_many(200, T) end,
     fun() -> [reversed(L, T) || {L, T} <- [{[], x}, {[1, 2, 3], []}, {lists:seq(1, 300), [a]}]] end,
     fun() -> reversed([1 | 2], []) end,
     fun() -> tired(fun reversed/2, lists:seq(1, 20000), []) end,
     fun() -> {joined(lists:seq(1, 10), [x]), tired(fun joined/2, lists:seq(1, 20000), lists:seq(1, 10))} end,
     fun() -> tired(fun joined_last/2, lists:seq(1, 20000), [x]) end,
     fun() -> tired(fun joined/2, lists:seq(1, 20000) ++ x, [x]) end,
     fun() -> joined([1 | x], [2]) end,
     fun() -> joined_last(x, [2]) end,
     fun() -> {texts(abc), texts('')} end,
     fun() -> texts(17) end,
     fun() -> dictionary(100) end,
     fun() -> [looked_up(K, [{a, 1}, {b, 2, x}, c, {1.0, one}]) || K <- [a, b, c, 1, none]] end,
     fun() -> looked_up(a, [{b, 1} | a]) end,
     fun() -> table(50) end,
     fun() -> ets:lookup(id(no_such_table), a) end,
     fun() -> {map_bifs(#{a => 1, b => 2}), map_bifs(maps:from_list([{N, N} || N <- lists:seq(1, 40)]))} end,
     fun() -> maps:put(a, 1, id(no_map)) end,
     fun() -> [id(maps:keys(M)) || M <- [#{a => 1}, x]] end,
     fun() -> [math_bifs(X) || X <- [1, 2.5, 1 bsl 70]] end,
     fun() -> math_bifs(a) end,
     fun() -> length(garbage(3000, [])) end].

set(I, T, X) ->
    U = setelement(I, T, X),
    {I, U}.

set_last(I, T, X) ->
    nothing = id(none()),
    setelement(I, T, X).

set_only(I, T, X) -> setelement(I, T, X).

set_many(0, T) -> T;
set_many(N, T) -> set_many(N - 1, setelement(N, setelement(id(N), T, [N]), {N, element(N, T)})).

reversed(L, T) -> lists:reverse(L, T).

%% With few reductions left, a BIF traps.
tired(F, L, M) ->
    erlang:bump_reductions(3900),
    Result = F(L, M),
    {length(Result), erlang:phash2(Result)}.

joined(L, M) -> id(L ++ M).

joined_last(L, M) -> L ++ M.

texts(A) ->
    Text = atom_to_list(A),
    Number = integer_to_list(id(length(Text) * 1000000007)),
    {Text, Number, list_to_atom(Text ++ Number), list_to_tuple(Text), tuple_to_list({A, Text})}.

dictionary(0) -> erase(key);
dictionary(N) ->
    Old = put(key, [N, {N}]),
    case get(key) of
        [N, {N}] when N < 100 -> [M, {M}] = Old, dictionary(M - 2);
        [N, _] -> dictionary(N - 1)
    end.

looked_up(K, L) -> {lists:keyfind(K, 1, L), lists:keymember(K, 1, L), lists:member(K, L)}.

table(N) ->
    T = ets:new(table, []),
    true = ets:insert(T, [{K, {K, [K]}} || K <- lists:seq(1, N)]),
    Found = [{ets:lookup(T, K), ets:member(T, K), ets:lookup_element(T, id(1), 2)} || K <- [1, N, N + 1]],
    ets:delete(T),
    Found.

map_bifs(M) ->
    More = maps:put(id(new), 1, M),
    {maps:find(a, M), maps:remove(b, More), lists:sort(maps:values(More)), maps:merge(M, #{id(a) => 3}), maps:take(new, More)}.

math_bifs(X) -> {math:sqrt(X), math:pow(X, 2), float_to_list(math:exp(X / 1.0e20), [{decimals, 3}])}.

garbage(0, L) -> L;
garbage(N, L) -> garbage(N - 1, [tl(integer_to_list(N * 1000003)) | L]).
