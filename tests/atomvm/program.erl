%% What AtomVM is asked to do natively, interpreted, and Erlang/OTP too: each result is a line.
-module(program).
-export([start/0, results/0, id/1, fib/1, twice/2, echo/1]).
-record(r, {a = 1, b = two, c = "three"}).

start() ->
    lines(results()).

lines([{Name, Result} | Rest]) ->
    erlang:display({Name, Result}),
    lines(Rest);
lines([]) ->
    ok.

results() ->
    [
        {calls, calls()}, {integers, integers()}, {comparisons, comparisons()}, {lists, lists()}, {tuples, tuples()},
        {records, records(#r{})}, {maps, maps()}, {funs, funs()}, {exceptions, exceptions()}, {floats, floats()},
        {matching, matching()}, {making, making()}, {utf, utf()}, {messages, messages()}, {many, many()},
        {selections, selections()}, {tests, tests()}, {yields, yields(5000, 0)}, {garbage, garbage(300, [])}
    ].

id(X) -> X.

fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).

calls() ->
    {fib(15), ?MODULE:fib(id(10)), apply(id(?MODULE), id(fib), [id(9)]), twice(fun(X) -> X * 3 end, 4), even(1001)}.

even(0) -> true;
even(N) -> odd(N - 1).
odd(0) -> false;
odd(N) -> even(N - 1).

twice(F, X) -> F(F(X)).

integers() ->
    Small = id(134217727),
    Least = id(-134217728),
    Word = id(2147483647),
    Large = id(1 bsl 62),
    Big = id(123456789012345678901234567890),
    [
        Small + 1, Least - 1, Small + Least, Word + 1, -Word - 2, Large + Large, Large - 1, Big + 1, Big - Big, -Big,
        Small * Small, Word * Word, id(17) div 5, id(-17) div 5, id(-17) rem 5, id(255) band 15, id(8) bor 3,
        id(5) bxor 1, bnot id(7), id(1) bsl 40, id(-256) bsr 4, abs(id(-3)), 134217728 + id(0), -134217729 - id(0),
        id(4294967295), id(-4294967296), id(9223372036854775807), id(-9223372036854775808), id(18446744073709551616)
    ].

comparisons() ->
    Terms = [id(1), id(2), 1.0, -1, 134217728, 1 bsl 70, a, b, {}, {1}, [], [1], "ab", <<>>, <<"x">>, #{}, #{a => 1}],
    [{X < Y, X >= Y, X == Y, X =:= Y, X /= Y, X =/= Y} || X <- Terms, Y <- Terms].

lists() ->
    [A, B | C] = id([1, 2, 3, 4]),
    {A, B, C, length(C), hd(C), tl(C), reverse([1, 2, 3], []), [{X, Y} || X <- [1, 2], Y <- [a, b]], [A | B]}.

reverse([H | T], Acc) -> reverse(T, [H | Acc]);
reverse([], Acc) -> Acc.

tuples() ->
    T = id({a, b, c}),
    {_, B, _} = T,
    {B, element(2, T), setelement(1, T, z), tuple_size(T), {T, T}, id({})}.

records(R) ->
    R1 = R#r{b = id(2)},
    R2 = R1#r{a = R1#r.b, c = [R1#r.a]},
    {R1, R2, R2#r{b = two}, caught(fun() -> (id(not_a_record))#r.a end), is_record(id(R), r)}.

maps() ->
    M = id(#{a => 1, "b" => 2}),
    #{a := A, "b" := B} = M,
    M1 = M#{a := A + 1, c => B, {1} => [M]},
    {M1, map_size(M1), maps_get(M1), caught(fun() -> M#{zz := 1} end), is_map_key(a, M), M#{}}.

maps_get(#{none := X}) -> X;
maps_get(#{a := X, c := Y, {1} := [Z]}) -> {X, Y, Z}.

funs() ->
    A = id(7),
    B = id("free"),
    F = fun(X, Y) -> {X, Y, A, B} end,
    G = fun ?MODULE:id/1,
    {F(1, 2), G(3), is_function(F), is_function(F, 2), is_function(F, 3), is_function(G, 1), caught(fun() -> (id(x))(1) end),
        caught(fun() -> (id(fun(_) -> 1 end))() end)}.

exceptions() ->
    [caught(F) || F <- [
        fun() -> throw(one) end, fun() -> error(two) end, fun() -> exit(three) end, fun() -> id(1) + id(a) end,
        fun() -> {a, _} = id(b) end, fun() -> case id(1) of 2 -> ok end end, fun() -> hd(id([])) end,
        fun() -> element(3, id({1})) end, fun() -> no_clause(id(1)) end, fun() -> id(fine) end
    ]] ++ [(catch throw(thrown)), nested(), after_all()].

no_clause(2) -> ok.

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
    put_in = try id(put_in) after self() ! after_all end,
    receive after_all -> came after 0 -> none end.

floats() ->
    X = id(1.5),
    {X + 2, X * X, X / 4, X - 0.5, -X, id(7) / id(2), caught(fun() -> id(1) / id(0) end), is_float(X), X > 1, trunc(X), round(X)}.

matching() ->
    B = id(<<1, 2, 255, "abc", 16#12345678:32, 1.5:64/float, "tail">>),
    <<A:8, C:16/little, D:24, E:32/signed, F/float, Rest/binary>> = B,
    <<_:4, Nibble:4, _/binary>> = B,
    Size = id(3),
    <<_:Size/binary, Three:Size/binary, _/binary>> = B,
    {A, C, D, E, F, Rest, Nibble, Three, words(<<1:16, 2:16, 3:16, 9>>), [X || <<X:8>> <= <<"list">>], kind(B),
        kind(<<1>>), kind(<<"longer">>), kind(atom), <<<<(X + 1)>> || <<X>> <= <<"HAL">>>>, unit(<<1, 2, 3>>),
        unit(<<1, 2>>), wide(<<16#FFFFFFFFFF:40>>), wide(<<16#80000000:32>>), wide(<<16#12345678:32>>),
        [of_size(id(<<1, 2, 3>>), id(Bits)) || Bits <- [16, 25, 1 bsl 31, 1 bsl 32, 1 bsl 32 + 8]]}.

%% More bits than the VM's own `int` holds.
of_size(Binary, Size) ->
    case Binary of <<Value:Size, Rest/binary>> -> {Value, Rest}; _ -> no end.

words(<<W:16, Rest/binary>>) -> [W | words(Rest)];
words(<<_, Rest/binary>>) -> Rest.

kind(<<"longer", _/binary>>) -> longer;
kind(<<1, 2, _/binary>>) -> one_two;
kind(<<_>>) -> byte;
kind(_) -> other.

unit(<<_:3/unit:8>>) -> three;
unit(<<_/binary>>) -> other.

wide(<<16#FFFFFFFFFF:40>>) -> forty;
wide(<<16#80000000:32>>) -> high;
wide(<<X:32/signed>>) -> X.

making() ->
    N = id(77),
    B = id(<<"bytes">>),
    S = id(16),
    {<<N>>, <<N:S>>, <<N:16/little>>, <<(-N):32/signed>>, <<B/binary, N, B/binary>>, <<B:2/binary>>, <<1.5/float>>,
        <<(id(2)):32/float>>, grown(5, <<>>), byte_size(<<0:800>>), <<16#123456789A:40>>, caught(fun() -> <<(id(a))>> end),
        caught(fun() -> <<(id(a))/binary>> end), <<N:4, 1:4>>, caught(fun() -> <<N:(1 bsl 66)>> end)}.

grown(0, B) -> B;
grown(N, B) -> grown(N - 1, <<B/binary, N, "-">>).

utf() ->
    C = id(16#20AC),
    B = <<C/utf8, $a/utf8, C/utf16, C/utf32-little>>,
    <<X/utf8, Y/utf8, Z/utf16, V/utf32-little>> = B,
    {B, [X, Y, Z, V], caught(fun() -> <<(id(-1))/utf8>> end), [U || <<U/utf8>> <= <<"z", C/utf8>>]}.

messages() ->
    Self = self(),
    Pid = spawn_opt(?MODULE, echo, [Self], []),
    Pid ! {Self, one},
    Pid ! {Self, two},
    Two = receive {echo, two} -> two end,
    One = receive {echo, X} -> X after 1000 -> none end,
    None = receive never -> never after 1 -> timeout end,
    Pid ! stop,
    Stopped = receive stopped -> stopped end,
    {Two, One, None, Stopped}.

echo(Parent) ->
    receive
        {From, X} -> From ! {echo, X}, echo(Parent);
        stop -> Parent ! stopped
    end.

many() ->
    many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, id(19), {20}).

many(A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, {T}) ->
    U = [A, B, C, D, E, F, G, H, I, J],
    {U, K + L, M - N, {O, P}, [Q | R], S, T, <<S, T>>, #{S => T}, many_again(T, S, R, Q, P, O, N, M, L, K, J, I, H, G, F,
        E, D, C, B, A)}.

many_again(A, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, Q, R, S, T) ->
    F = fun() -> {A, Q, R, S, T} end,
    F().

selections() ->
    [select(X) || X <- [1, 2, 134217728, 3.5, a, ok, foo, "s", {}, {1, 2}, {1, 2, 3}, 1 bsl 80]].

select(1) -> one;
select(134217728) -> large;
select(3.5) -> float;
select(a) -> atom;
select(ok) -> fixed_atom;
select(foo) -> foo;
select(2) -> two;
select({}) -> empty;
select({_, _}) -> pair;
select({_, _, X}) -> X;
select(_) -> other.

tests() ->
    Terms = [1, 1 bsl 70, 1.5, a, true, [], [1], {}, #{}, <<>>, <<1>>, self(), make_ref(), fun id/1],
    [
        [is_integer(X), is_float(X), is_number(X), is_atom(X), is_boolean(X), is_list(X), is_tuple(X), is_map(X),
            is_binary(X), is_bitstring(X), is_pid(X), is_reference(X), is_function(X), X =:= []]
     || X <- Terms
    ].

yields(0, Acc) -> Acc;
yields(N, Acc) -> yields(N - 1, Acc + length([N])).

garbage(0, Acc) -> {length(Acc), hd(Acc)};
garbage(N, Acc) -> garbage(N - 1, [{N, integer_to_list(N), <<N:64>>, #{N => Acc =:= []}} | Acc]).
