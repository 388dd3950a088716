%% Processes whose treatment by the VM changes in mid-function, and processes that others look at meanwhile.
-module(watched).
-export([run/0, sum/1, wait_in/1]).

run() ->
    [saves_calls(), saves_calls_while_traced(), saves_calls_while_asked(), sets_flags(), waits(), is_watched()].

%%% process_flag(save_calls, N)

saves_calls() ->
    process_flag(save_calls, 20),
    _ = ?MODULE:sum([1]),
    _ = apply(?MODULE, sum, [[2]]),
    Module = element(2, {x, ?MODULE}),
    _ = Module:sum([3]),
    Fun = fun ?MODULE:sum/1,
    _ = Fun([4]),
    self() ! hello,
    receive hello -> ok end,
    receive after 1 -> ok end,
    _ = lists:reverse([1, 2]),
    _ = lists:sum([1, 2]),
    _ = catch atom_to_list(1),
    {last_calls, Calls} = process_info(self(), last_calls),
    {process_flag(save_calls, 0), process_info(self(), last_calls), Calls}.

saves_calls_while_traced() ->
    Self = self(),
    Tracer = spawn_link(fun ignore/0),
    Pid = spawn_link(fun() -> receive go -> Self ! {self(), toggle(40)} end end),
    erlang:trace(Pid, true, [running, garbage_collection, procs, send, 'receive', {tracer, Tracer}]),
    Pid ! go,
    receive {Pid, Done} -> Done end.

toggle(0) -> [];
toggle(N) ->
    Old = process_flag(save_calls, N rem 3),
    Size = byte_size(erlang:md5(integer_to_list(N))),
    Sum = sum(lists:seq(1, N)),
    [{Old, Size, Sum, [N]} | toggle(N - 1)].

ignore() ->
    receive _ -> ignore() end.

saves_calls_while_asked() ->
    Self = self(),
    Pid = spawn_link(fun() -> process_flag(save_calls, 50), Self ! {self(), bump(300, [a, {b}])} end),
    Ask = fun() -> process_info(Pid, [current_function, current_location, current_stacktrace, last_calls]) end,
    Answers = [Ask() || _ <- lists:seq(1, 200)],
    {receive {Pid, Done} -> Done end, length(Answers)}.

bump(0, Kept) -> Kept;
bump(N, [A, B]) ->
    erlang:bump_reductions(4000),
    bump(N - 1, [B, A]).

%%% Other flags

sets_flags() ->
    Flags = [{trap_exit, true}, {priority, high}, {min_heap_size, 5000}, {min_bin_vheap_size, 50000},
             {max_heap_size, 1 bsl 22}, {message_queue_data, off_heap}, {message_queue_data, on_heap},
             {sensitive, true}, {sensitive, false}, {fullsweep_after, 0}, {monitor_nodes, false},
             {error_handler, error_handler}, {save_calls, 3}, {save_calls, 0}, {async_dist, true}],
    Self = self(),
    Pid = spawn_link(fun() -> Self ! {self(), [set(Flag) || Flag <- Flags]} end),
    receive {Pid, Done} -> Done end.

set({Flag, Value}) ->
    Kept = lists:seq(1, 20),
    Binary = list_to_binary(Kept),
    Old = try process_flag(Flag, Value) catch error:Reason -> Reason end,
    garbage_collect(),
    {Flag, is_map(Old) orelse is_integer(Old) orelse Old, Kept =:= binary_to_list(Binary)}.

%%% What is told of a process that waits

waits() ->
    Pid = spawn_link(?MODULE, wait_in, [self()]),
    receive {Pid, ready} -> ok end,
    erlang:yield(),
    Items = [current_function, current_location, current_stacktrace, initial_call, status, message_queue_len, messages,
             monitors, monitored_by, dictionary, error_handler, trap_exit, priority],
    Told = [process_info(Pid, Item) || Item <- Items],
    {backtrace, Text} = process_info(Pid, backtrace),
    Code = [erlang:check_process_code(Pid, ?MODULE), garbage_collect(Pid), erlang:suspend_process(Pid),
            process_info(Pid, status), erlang:resume_process(Pid)],
    exit(Pid, normal),
    Pid ! {self(), go},
    receive {Pid, Result} -> {Told, functions(Text), Code, Result} end.

wait_in(Parent) ->
    put(key, value),
    X = deeper(Parent, 3),
    Parent ! {self(), {X, get(key)}}.

deeper(Parent, 0) ->
    Parent ! {self(), ready},
    receive {Parent, What} -> What end;
deeper(Parent, N) ->
    Y = try deeper(Parent, N - 1) catch throw:T -> T end,
    {N, Y}.

%% The functions that a backtrace names.
functions(Text) ->
    {match, Found} = re:run(Text, "\\(([a-z_]+:.*?) \\+", [global, {capture, all_but_first, list}]),
    Found.

%%% A process that works while it is looked at, stopped, collected and traced

is_watched() ->
    Self = self(),
    Worker = spawn_link(fun() -> receive go -> Self ! {self(), work(40, [])} end end),
    Tracer = spawn_link(fun ignore/0),
    erlang:trace(Worker, true, [running, exiting, garbage_collection, procs, call, return_to, send, 'receive',
                                timestamp, {tracer, Tracer}]),
    erlang:trace_pattern({lists, '_', '_'}, true, [local]),
    erlang:trace_pattern({?MODULE, '_', '_'}, true, [local]),
    erlang:system_profile(Tracer, [runnable_procs, exclusive]),
    erlang:system_monitor(Tracer, [{long_schedule, 1}, {long_gc, 1}, {large_heap, 1000}, busy_port]),
    Watchers = [spawn_link(fun() -> watch(Worker, How, 30) end) || How <- [ask, collect, stop, check, backtrace]],
    Worker ! go,
    receive {Worker, Done} -> ok end,
    erlang:system_monitor(undefined),
    erlang:system_profile(undefined, []),
    erlang:trace_pattern({'_', '_', '_'}, false, [local]),
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- [Tracer | Watchers]],
    erlang:phash2(Done).

work(0, Done) -> Done;
work(N, Done) ->
    List = lists:seq(1, 10 + N rem 50),
    Sum = sum(List),
    self() ! {n, Sum},
    Caught = (catch list_to_integer("x")),
    Got = receive {n, M} -> M after 0 -> none end,
    Binary = << <<X:16>> || X <- List >>,
    work(N - 1, [{Sum, Got, element(1, Caught), byte_size(Binary), N bsl 60} | lists:sublist(Done, 100)]).

sum([]) -> 0;
sum([N | Rest]) -> N + sum(Rest).

watch(_, _, 0) -> ok;
watch(Worker, How, N) ->
    _ = (catch look(Worker, How)),
    receive after 2 -> watch(Worker, How, N - 1) end.

look(Worker, ask) ->
    process_info(Worker, [current_function, current_stacktrace, messages, dictionary, reductions, garbage_collection_info]);
look(Worker, collect) -> garbage_collect(Worker);
look(Worker, stop) -> erlang:suspend_process(Worker), erlang:resume_process(Worker);
look(Worker, check) -> erlang:check_process_code(Worker, ?MODULE);
look(Worker, backtrace) -> process_info(Worker, backtrace).
