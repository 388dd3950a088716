%% What happens to whole processes: their heap grows beyond its bounds, they are killed, they come back from the depths.
-module(processes).
-export([cases/0, killed_by_heap/1, killed_in_receive/2, deep/1, deep_floats/1, marked/1, calls_saved/1]).

%% Where garbage is collected at each heap test, only what is small comes to an end.
-ifdef(stress).
cases() -> [{killed_in_receive, [3, kill]}, {deep, [100]}, {marked, [3]}].
-else.
cases() ->
    [{killed_by_heap, [F]} || F <- [list, binaries]] ++
        [{killed_in_receive, [20, Why]} || Why <- [kill, bye]] ++
        [{F, [150000]} || F <- [deep, deep_floats]] ++
        [{marked, [30]}, {calls_saved, [bye]}].
-endif.

%% Killed by a collection in native code, which goes on to the next call.
killed_by_heap(What) ->
    Options = [monitor, {max_heap_size, #{size => 50000, kill => true, error_logger => false}}],
    {Pid, Monitor} = spawn_opt(fun() -> grow(What, []) end, Options),
    receive {'DOWN', Monitor, process, Pid, Why} -> Why end.

grow(list, L) -> grow(list, [{L, 1} | L]);
grow(binaries, L) -> grow(binaries, [<<(length(L)):64, 0:200>> | L]).

%% Killed while messages are looked through, in a stack frame; on another scheduler if there is one.
killed_in_receive(0, _) -> [];
killed_in_receive(N, Why) ->
    {Pid, Monitor} = spawn_monitor(fun() -> catch wait_for(never) end),
    [Pid ! {message, lists:seq(1, K)} || K <- lists:seq(1, 100)],
    exit(Pid, Why),
    receive {'DOWN', Monitor, process, Pid, Told} -> [Told | killed_in_receive(N - 1, Why)] end.

wait_for(What) ->
    receive
        What -> What;
        {message, L} when length(L) > 90 -> wait_for(What)
    end.

%% The way back takes reductions too, so that a dirty scheduler collects the garbage of a large heap.
deep(N) -> length(pairs(N)).

pairs(0) -> [];
pairs(N) -> [{N} | pairs(N - 1)].

deep_floats(0) -> 0.0;
deep_floats(N) -> N + deep_floats(N - 1) + element(2, {N, N bsl 30}).

%% A receive marker is reserved in a frame where nothing has been written yet, while there are messages.
marked(0) -> [];
marked(N) ->
    Big = lists:seq(1, 1000),
    [self() ! {big, Big} || _ <- [1, 2, 3]],
    _ = frames(N, Big),
    erlang:garbage_collect(),
    _ = frames(N, [Big]),
    receive {big, L} -> Rest = [ask(length(L)) | marked(N - 1)] end,
    receive {big, _} -> ok end,
    receive {big, _} -> Rest end.

frames(0, T) -> [T];
frames(N, T) -> [{N, T} | frames(N - 1, [T, N])].

ask(N) ->
    Reference = make_ref(),
    self() ! {Reference, N},
    receive {Reference, M} -> M end.

%% A process whose reductions are counted from below zero, and that leaves native code to raise: it yields nevertheless.
calls_saved(Why) ->
    {Pid, Monitor} = spawn_monitor(fun() -> process_flag(save_calls, 3), for_ever(a) end),
    receive after 10 -> exit(Pid, Why) end,
    receive {'DOWN', Monitor, process, Pid, Told} -> Told end.

for_ever(X) ->
    _ = (catch X + 1),
    _ = (catch hd(X)),
    for_ever(X).
