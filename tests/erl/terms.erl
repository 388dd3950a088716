%% Processes that hold one of every kind of term still, for a debugger to look at:
%%   terms_holder     parked in a receive of park/N: all in y registers, and by name in its dictionary
%%                    under 'terms'; below park/N a 'catch' and a 'try' frame
%%   terms_suspended  suspended in the loop of turn/6: its arguments in x registers
%%   terms_matching   parked below walk/1: a match context in a y register
-module(terms).
-export([start/0, all/0, printed/0]).
-export([hold/1, turn/6, match/1, suspend/2]).

start() ->
    Starter = self(),
    start(terms_holder, spawn(?MODULE, hold, [Starter])),
    start(terms_matching, spawn(?MODULE, match, [Starter])),
    Turning = spawn(?MODULE, turn, [Starter, 0, 1.5, <<"x register">>, {in, [x, registers]}, 1 bsl 80]),
    start(terms_suspended, Turning),
    %% The suspension ends with the process that asked for it, so that one has to stay.
    Suspender = spawn(?MODULE, suspend, [Starter, Turning]),
    receive {suspended, Suspender} -> ok end.

suspend(Starter, Process) ->
    true = erlang:suspend_process(Process),
    Starter ! {suspended, self()},
    receive never -> Process end.

start(Name, Pid) ->
    true = register(Name, Pid),
    receive {parked, Pid} -> await(Pid) end.

await(Pid) ->
    case process_info(Pid, [status, current_function]) of
        [{status, waiting} | _] -> ok;
        [_, {current_function, {_, turn, _}}] -> ok;
        _ -> erlang:yield(), await(Pid)
    end.

%% Terms by name, as the holder has them.
all() ->
    {dictionary, Dictionary} = process_info(whereis(terms_holder), dictionary),
    {terms, Terms} = lists:keyfind(terms, 1, Dictionary),
    Terms.

%% One line per term: its name, a tab, and the term as Erlang prints it.
printed() ->
    ok = io:setopts([{encoding, unicode}]),
    [io:format("~ts\t~0tp~n", [Name, Term]) || {Name, Term} <- all()],
    ok.

%% -- terms_suspended ---------------------------------------------------------------------------------------------

turn(Starter, 0, Float, Binary, Tuple, Big) ->
    Starter ! {parked, self()},
    turn(Starter, 1, Float, Binary, Tuple, Big);
turn(Starter, Count, Float, Binary, Tuple, Big) ->
    turn(Starter, Count rem 1000 + 1, Float, Binary, Tuple, Big).

%% -- terms_matching ----------------------------------------------------------------------------------------------

match(Starter) ->
    walk(list_to_binary(["first", lists:duplicate(100, $.)]), Starter).

walk(<<Byte, Rest/binary>>, Starter) ->
    Seen = pause(Byte, Starter),
    [Seen | walk(Rest, Starter)];
walk(<<>>, _Starter) ->
    [].

pause($r, Starter) ->
    Starter ! {parked, self()},
    receive go_on -> $r end;
pause(Byte, _Starter) ->
    Byte.

%% -- terms_holder ------------------------------------------------------------------------------------------------

hold(Starter) ->
    Terms = terms(),
    put(terms, Terms),
    try
        {caught, catch park(Starter, Terms)}
    catch
        Class:Reason -> {Class, Reason}
    end.

park(Starter, Terms) ->
    [A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z | More] = [V0 || {_, V0} <- Terms],
    [A1, B1, C1, D1, E1, F1, G1, H1, I1, J1, K1, L1, M1, N1, O1, P1, Q1, R1, S1, T1, U1, V1, W1, X1 | []] = More,
    Starter ! {parked, self()},
    receive
        go_on ->
            {A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z,
             A1, B1, C1, D1, E1, F1, G1, H1, I1, J1, K1, L1, M1, N1, O1, P1, Q1, R1, S1, T1, U1, V1, W1, X1}
    end.

terms() ->
    Large = list_to_binary(lists:duplicate(20, "refc binary ")),
    [{small, 42},
     {negative, -1},
     {largest_small, 1 bsl 59 - 1},
     {smallest_small, -(1 bsl 59)},
     {big, 1 bsl 100 + 12345},
     {negative_big, -(1 bsl 64)},
     {huge, 1 bsl 4000},
     {float, 3.141592653589793},
     {negative_zero, -0.0},
     {large_float, 1.0e300},
     {atom, ok},
     {odd_atom, 'hello world'},
     {quoted_atom, 'it\'s "quoted"\n'},
     {latin1_atom, 'Åäö'},
     {unicode_atom, '日本語'},
     {empty_atom, ''},
     {long_atom, list_to_atom(lists:duplicate(200, $å))},
     {nil, []},
     {string, "hello"},
     {unicode_string, "π ≈ 3"},
     {list, [1, two, 3.0, "four"]},
     {improper_list, [a, b | c]},
     {long_list, lists:seq(1, 1000)},
     {nested_list, nest(list, 200)},
     {empty_tuple, {}},
     {tuple, {a, "b", <<"c">>}},
     {nested_tuple, nest(tuple, 10)},
     {empty_map, #{}},
     {map, #{a => 1, "b" => 2, 3 => [c]}},
     {large_map, maps:from_list([{Key, Key * Key} || Key <- lists:seq(1, 500)])},
     {heap_binary, list_to_binary("heap")},
     {refc_binary, Large},
     {sub_binary, binary:part(Large, 5, 70)},
     {writable_binary, appended(<<>>, 100)},
     {bitstring, <<2#10110:5>>},
     {sub_bitstring, bits(<<Large/binary>>)},
     {pid, self()},
     {external_pid, external(88, <<17:32, 3:32>>, <<5:32>>)},
     {port, hd(erlang:ports())},
     {external_port, external(120, <<9:64>>, <<5:32>>)},
     {reference, make_ref()},
     {external_reference, external_reference()},
     {magic_reference, ets:new(terms_table, [])},
     {atomics, atomics:new(4, [])},
     {local_fun, captures(Large, 7)},
     {fun_without_environment, fun(X) -> X end},
     {external_fun, fun lists:map/2},
     {literal, {literal, [from, the, 'literal area'], #{in => module}}},
     {record, native_record()},
     {shared, {Large, Large}}].

%% With its fields in another order than the atoms have: the first was made last. Before OTP 29 there are none.
native_record() ->
    case code:ensure_loaded(records) of
        {module, Records} ->
            Fields = [{list_to_atom("made last"), {1}}, {b, "two"}, {a, []}],
            Records:create('some module', point, Fields, #{is_exported => true});
        {error, _} ->
            none
    end.

nest(_, 0) -> bottom;
nest(list, Depth) -> [nest(list, Depth - 1)];
nest(tuple, Depth) -> {Depth, nest(tuple, Depth - 1)}.

captures(Binary, Number) -> fun(X) -> {X, Binary, Number} end.

appended(Binary, 0) -> Binary;
appended(Binary, Left) -> appended(<<Binary/binary, Left>>, Left - 1).

bits(<<_:3, Bits:333/bitstring, _/bitstring>>) -> Bits.

%% Identifiers of another node, from the external term format (ERTS User's Guide): there is no such node.
external(Tag, Identity, Creation) ->
    binary_to_term(<<131, Tag, (node_atom())/binary, Identity/binary, Creation/binary>>).

external_reference() ->
    binary_to_term(<<131, 90, 3:16, (node_atom())/binary, 5:32, 1:32, 2:32, 3:32>>).

node_atom() ->
    Name = <<"far@away">>,
    <<119, (byte_size(Name)), Name/binary>>.
