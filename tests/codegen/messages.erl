%% Sending and receiving: what must come out the same interpreted and native.
-module(messages).
-export([run/0, echo/0, pingpong/1]).

run() ->
    [pingpong(1000), sum(5000), filter(), selective(300), after_0(), timeouts(20), flood(2000), links(), big(30), no_match(),
     nobody(), named(), markers(50), handed_over(), seq_traced(), long_wait(), dictionary(3000),
     monitors(), aliases(), yielding(3000), failures(), traced()].

echo() ->
    receive
        {From, stop} -> From ! stopped;
        {From, X} -> From ! {self(), X}, echo()
    end.

pingpong(N) ->
    P = spawn_link(fun echo/0),
    R = pingpong(N, P, 0),
    P ! {self(), stop},
    receive stopped -> R end.

pingpong(0, _, Acc) -> Acc;
pingpong(N, P, Acc) ->
    P ! {self(), N},
    receive {P, N} -> pingpong(N - 1, P, Acc + N) end.

sum(N) ->
    S = self(),
    P = spawn(fun() -> collect(N, 0, S) end),
    send(N, P),
    receive {sum, T} -> T end.
send(0, _) -> ok;
send(N, P) -> P ! N, send(N - 1, P).
collect(0, Acc, To) -> To ! {sum, Acc};
collect(N, Acc, To) -> receive X when is_integer(X) -> collect(N - 1, Acc + X, To) end.

filter() ->
    [self() ! X || X <- [1, a, 2, b, {c}, 3, [x], "y", 4.5]],
    Is = ints([]),
    {Is, [E || E <- rest([]), not is_tuple(E)]}.
ints(Acc) -> receive X when is_integer(X) -> ints([X | Acc]) after 0 -> lists:reverse(Acc) end.
rest(Acc) -> receive X -> rest([X | Acc]) after 0 -> lists:reverse(Acc) end.

selective(N) ->
    [self() ! {K, K * K} || K <- lists:seq(1, N)],
    Rs = [receive {K, S} -> S end || K <- lists:seq(N, 1, -1)],
    lists:sum(Rs).

after_0() -> receive never -> x after 0 -> y end.

timeouts(0) -> [];
timeouts(N) ->
    receive {x, N} -> timeouts(N - 1) after 1 -> [N | timeouts(N - 1)] end.

flood(N) ->
    S = self(),
    Ps = [spawn_link(fun() -> [S ! {self(), K, lists:duplicate(K rem 50, K)} || K <- lists:seq(1, N div 10)] end) || _ <- lists:seq(1, 10)],
    lists:sum([got(P, N div 10, 0) || P <- Ps]).
got(_, 0, A) -> A;
got(P, N, A) -> receive {P, K, L} -> got(P, N - 1, A + K + length(L)) end.

links() ->
    process_flag(trap_exit, true),
    P = spawn_link(fun() -> receive go -> exit(bye) end end),
    P ! go,
    R1 = receive {'EXIT', P, Why} -> Why after 5000 -> late end,
    {Q, M} = spawn_monitor(fun() -> receive X -> X + 1 end end),
    exit(Q, kill),
    R2 = receive {'DOWN', M, process, Q, W} -> W after 5000 -> late end,
    process_flag(trap_exit, false),
    {R1, R2}.

big(N) ->
    P = spawn_link(fun echo/0),
    L = lists:seq(1, 3000),
    R = [begin P ! {self(), {K, L, <<0:80000>>, 1 bsl 900, 2.5}}, receive {P, {K, L2, B, _, _}} -> length(L2) + byte_size(B) end end || K <- lists:seq(1, N)],
    P ! {self(), stop}, receive stopped -> lists:sum(R) end.

no_match() ->
    self() ! {tuple, 1},
    receive {tuple, X} when X > 5 -> a; {other, _} -> b after 10 -> receive {tuple, Y} -> Y end end.

nobody() ->
    try no_such_name ! x catch C:R -> {C, R} end.

named() ->
    Self = self(),
    register(?MODULE, spawn_link(fun() -> receive {Tag, X} -> Self ! {Tag, named, X} end end)),
    ?MODULE ! {tag, 1},
    {?MODULE, node()} ! ignored,
    receive {tag, named, X} -> X end.

%% Calls with many messages waiting: receive markers let them be passed by.
markers(N) ->
    [self() ! {noise, K} || K <- lists:seq(1, 200)],
    P = spawn_link(fun server/0),
    Sum = lists:sum([request(P, K) || K <- lists:seq(1, N)]),
    P ! stop,
    {Sum, noise(0)}.

server() ->
    receive
        {From, Ref, X} -> From ! {Ref, X * 2}, server();
        stop -> ok
    end.

request(P, X) ->
    Ref = monitor(process, P),
    P ! {self(), Ref, X},
    receive
        {Ref, Y} -> demonitor(Ref, [flush]), Y;
        {'DOWN', Ref, _, _, Why} -> exit(Why)
    end.

noise(N) -> receive {noise, _} -> noise(N + 1) after 0 -> N end.

%% A message that was matched is still there after a collection.
handed_over() ->
    Self = self(),
    spawn_link(fun() -> Self ! {data, lists:seq(1, 5000), <<0:9000>>, #{k => [1.5, 1 bsl 70]}} end),
    receive
        {data, L, B, #{k := [F, I]}} when length(L) =:= 5000 ->
            garbage_collect(),
            {lists:sum(L), byte_size(B), F, I}
    end.

seq_traced() ->
    seq_trace:set_token(label, 17),
    P = spawn_link(fun() -> receive {From, ask} -> From ! {self(), seq_trace:get_token(label)} end end),
    P ! {self(), ask},
    Answer = receive {P, Token} -> Token end,
    seq_trace:set_token([]),
    Answer.

%% Messages that come while a time runs, which goes on.
long_wait() ->
    Self = self(),
    spawn_link(fun() -> [begin timer:sleep(2), Self ! {other, K} end || K <- lists:seq(1, 5)] end),
    First = receive {wanted, X} -> X after 60 -> none end,
    {First, others(0, [])}.

others(5, Acc) -> lists:reverse(Acc);
others(N, Acc) -> receive {other, K} -> others(N + 1, [K | Acc]) end.

%% The process dictionary collects garbage when it grows.
dictionary(N) ->
    [put({key, K}, [K, integer_to_list(K)]) || K <- lists:seq(1, N)],
    Sum = lists:sum([hd(erase({key, K})) || K <- lists:seq(1, N, 2)]),
    {Sum, length(get()), get({key, 2})}.

%% A monitor is removed before and after its process has ended, with a message that came of it and without.
monitors() ->
    P = spawn(fun answer/0),
    M = monitor(process, P),
    Alias = monitor(process, P, [{alias, demonitor}]),
    ok = erlang:send(P, {Alias, tag, 1}, [noconnect]),
    One = receive {tag, X} -> X end,
    Removed = [demonitor(Alias, [flush, info]), demonitor(Alias, [info]), demonitor(Alias, [flush, info]), demonitor(Alias)],
    P ! {Alias, tag, 2},
    P ! {self(), tag, 3},
    Three = receive {tag, Y} -> Y end,
    P ! stop,
    Last = monitor(process, P),
    Why = receive {'DOWN', Last, process, P, W} -> W end,
    Late = [demonitor(M, [flush]), demonitor(Last, [flush, info])],
    {One, Removed, Three, lists:member(Why, [normal, noproc]), Late, [D || D <- queue(), element(1, D) =:= 'DOWN']}.

aliases() ->
    P = spawn_link(fun answer/0),
    Once = alias([reply]),
    Until = alias([explicit_unalias]),
    [P ! {To, tag, K} || K <- [1, 2], To <- [Once, Until]],
    P ! {self(), tag, last},
    All = tags([]),
    Removed = [unalias(Once), unalias(Until), unalias(Until)],
    P ! {Until, tag, 3},
    P ! {self(), tag, last},
    None = tags([]),
    P ! stop,
    {All, Removed, None}.

answer() -> receive {To, Tag, X} -> To ! {Tag, X}, answer(); stop -> ok end.
tags(Acc) -> receive {tag, last} -> lists:reverse(Acc); {tag, X} -> tags([X | Acc]) end.
queue() -> element(2, process_info(self(), messages)).

%% A process that sends much is suspended, and goes on behind the call.
yielding(N) ->
    Self = self(),
    Sent = [{erlang:send(Self, K), erlang:send(Self, {K}, []), monitor(process, Self), K} || K <- lists:seq(1, N)],
    {length([K || {K, ok, Ref, K} <- Sent, is_reference(Ref)]), lists:sum(ints([])), length([K || {K} <- rest([])])}.

%% What fails has no effect, and the exception comes from here.
failures() ->
    [failure(F) || F <- [fun() -> erlang:send(no_such_name, x), a end, fun() -> erlang:send(self(), x, [bad]), a end,
                         fun() -> erlang:send(1, x, []), a end, fun() -> monitor(process, {a, b, c}), a end,
                         fun() -> monitor(nothing, self()), a end, fun() -> monitor(process, self(), [bad]), a end,
                         fun() -> demonitor(a), a end, fun() -> demonitor(make_ref(), [bad]), a end,
                         fun() -> alias([bad]), a end, fun() -> unalias(1), a end,
                         fun() -> erlang:send({no_such_name, node()}, x), a end]] ++ [x || x <- queue()].

failure(F) ->
    try F() catch
        C:R:Trace -> {C, R, element(2, hd(Trace)), [{Function, Info} || {?MODULE, Function, _, Info} <- Trace]}
    end.

%% A tracer is told once of what is sent.
traced() ->
    Self = self(),
    Tracer = spawn_link(fun() -> tracer([]) end),
    erlang:trace(Self, true, [send, {tracer, Tracer}]),
    Failed = [failure(F) || F <- [fun() -> no_such_name ! x, a end, fun() -> erlang:send(no_such_name, y), a end,
                                  fun() -> erlang:send(no_such_name, z, [nosuspend]), a end]],
    Self ! sent,
    erlang:send(Self, again),
    erlang:trace(Self, false, [send]),
    Ref = erlang:trace_delivered(Self),
    receive {trace_delivered, Self, Ref} -> Tracer ! {Self, told} end,
    receive {told, Told} -> {Failed, Told, rest([])} end.

tracer(Acc) ->
    receive
        {From, told} -> From ! {told, lists:reverse(Acc)};
        Event -> tracer([{element(3, Event), element(4, Event)} | Acc])
    end.
