%% Processes of all kinds, and what the node itself says of them.
-module(population).
-export([start/0, keep/1]).

-define(STEADY_MS, 100).
-define(ASKED, [registered_name, status, message_queue_len, current_function, initial_call, total_heap_size, reductions,
                garbage_collection_info, parent, group_leader, priority, links, monitors, monitored_by, dictionary,
                messages, trap_exit, memory]).

%% Start them, and print a line for each thing that is known of each: "process PID KEY VALUE".
start() ->
    Kinds = [idle, named, talked_to, large, hibernating, timed, caught, trapping, long_queue, off_heap, related, shapes],
    Pids = [{Kind, spawn_opt(?MODULE, keep, [Kind], options(Kind))} || Kind <- Kinds],
    Suspended = spawn(?MODULE, keep, [suspended]),
    [tell(Kind, Pid) || {Kind, Pid} <- Pids],
    share(),
    receive after ?STEADY_MS -> ok end,
    suspend(Suspended),
    %% Signals among messages that nobody fetches, for who would is suspended: the node's own answer would fetch them.
    [Suspended ! {early, N} || N <- [1, 2, 3]],
    erlang:monitor(process, Suspended),
    [Suspended ! {late, N} || N <- [1, 2]],
    print(Suspended, message_queue_len, 5),
    print(Suspended, status, suspended),
    [print(Pid, kind, Kind) || {Kind, Pid} <- [{suspended, Suspended} | Pids]],
    [print(Pid, Key, Value) || {_, Pid} <- Pids, {Key, Value} <- process_info(Pid, ?ASKED)],
    ok.

%% By a process that stays: when it ends, so does what it has suspended.
suspend(Pid) ->
    Self = self(),
    spawn(fun() -> erlang:suspend_process(Pid), Self ! suspended, wait(Pid) end),
    receive suspended -> ok end.

%% A binary of which others hold parts that are too large to be copied.
share() ->
    Self = self(),
    Waits = fun() -> receive never -> ok end end,
    Holder = spawn(fun() ->
        Whole = binary:copy(<<"x">>, 1234567),
        Part = binary:part(Whole, 10, 100),
        ets:new(t_holds_part, [named_table]),
        ets:insert(t_holds_part, [{part, Part, Part}, {atom, only}]),
        Told = spawn(Waits),
        [Told ! {Part, N} || N <- [1, 2, 3]],
        Inside = spawn(fun() -> receive never -> Part end end),
        Self ! {holders, Told, Inside},
        receive never -> {Whole, Part} end
    end),
    receive {holders, Told, Inside} -> io:format("binary ~p ~p ~p~n", [Holder, Told, Inside]) end.

options(off_heap) -> [{message_queue_data, off_heap}];
options(large) -> [{fullsweep_after, 1000}];
options(related) -> [{priority, high}];
options(_) -> [].

tell(talked_to, Pid) -> [Pid ! {number, N, <<"binary">>} || N <- lists:seq(1, 7)];
tell(off_heap, Pid) -> [Pid ! {number, N} || N <- lists:seq(1, 3)];
tell(long_queue, Pid) -> [Pid ! N || N <- lists:seq(1, 2000)];
tell(_, _) -> ok.

keep(named) ->
    register('a name', self()),
    wait(named);
keep(large) ->
    Kept = lists:seq(1, 20000),
    erlang:garbage_collect(),
    Old = [{N, N} || N <- Kept],
    wait(Old);
keep(hibernating) ->
    erlang:hibernate(?MODULE, keep, [idle]);
keep(related) ->
    Ends = fun() -> receive never -> ok end end,
    [spawn_link(Ends) || _ <- lists:seq(1, 5)],
    [spawn_monitor(Ends) || _ <- lists:seq(1, 5)],
    erlang:monitor(process, init),
    erlang:monitor(time_offset, clock_service),
    Self = self(),
    [spawn(fun() -> erlang:monitor(process, Self), Ends() end) || _ <- lists:seq(1, 3)],
    [put({key, N}, lists:seq(1, N)) || N <- lists:seq(1, 20)],
    wait(related);
keep(timed) ->
    receive never -> ok after 1000000 -> ok end;
keep(caught) ->
    catch wait(caught);
keep(trapping) ->
    process_flag(trap_exit, true),
    wait(trapping);
keep(shapes) ->
    Kept = shapes(),
    erlang:garbage_collect(),
    wait(Kept);
keep(Kind) ->
    put(kind, Kind),
    wait(Kind).

%% Of each shape a number of terms that nothing else has, none of them a literal.
shapes() ->
    [[{shape, N, N + 0.5} || N <- lists:seq(1, 100)],
     [#{shape_key => N, "other" => N} || N <- lists:seq(1, 50)],
     [maps:from_list([{{N, M}, M} || M <- lists:seq(1, 40)]) || N <- lists:seq(1, 3)],
     [binary:copy(<<N>>, 1000) || N <- lists:seq(1, 20)],
     [binary:copy(<<N>>, 30) || N <- lists:seq(1, 25)],
     [fun() -> {N, self()} end || N <- lists:seq(1, 30)],
     [(1 bsl 200) + N || N <- lists:seq(1, 10)],
     [make_ref() || _ <- lists:seq(1, 15)]].

wait(Kept) ->
    receive never -> Kept end.

print(Pid, links, Links) ->
    print_all(Pid, links, Links);
print(Pid, monitors, Monitors) ->
    print_all(Pid, monitors, [case One of {process, {Name, _}} -> Name; {process, Other} -> Other; _ -> One end
                              || One <- Monitors]);
print(Pid, monitored_by, Pids) ->
    print_all(Pid, monitored_by, Pids);
print(Pid, messages, Messages) ->
    print_all(Pid, messages, lists:sublist(Messages, 10));
print(Pid, dictionary, Pairs) ->
    [io:format("process ~p dictionary ~0p = ~0p~n", [Pid, Key, Value]) || {Key, Value} <- Pairs];
print(Pid, garbage_collection_info, Info) ->
    Used = [proplists:get_value(Key, Info) || Key <- [heap_size, old_heap_size, mbuf_size]],
    io:format("process ~p words ~p~n", [Pid, lists:sum(Used)]);
print(Pid, Key, {M, F, A}) ->
    io:format("process ~p ~s ~s~n", [Pid, Key, [lists:flatten(io_lib:format("~p:~p/~p", [M, F, A]))]]);
print(Pid, Key, Value) ->
    io:format("process ~p ~s ~p~n", [Pid, Key, Value]).

print_all(Pid, Key, Values) ->
    [io:format("process ~p ~s ~0p~n", [Pid, Key, Value]) || Value <- Values].
