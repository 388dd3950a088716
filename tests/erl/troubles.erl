%% What people ask about in public: native functions that hang, a process that was killed while one runs, a purge that
%% waits for old code, a destructor that crashes, memory that runs out, a failed assertion, a node that ends itself.
-module(troubles).
-export([start/1, destroy/1, run_out/1, fail/1, halts/2, await/1]).
-export([keep_literal/0, calls/1, hang/2, dirty_hang/2, dirty_io_hang/1, start_thread/0, make_fragile/0, make_sure/1]).
-export([over_released/0]).
-on_load(load/0).

load() ->
    erlang:load_nif(filename:join(filename:dirname(code:which(?MODULE)), "troubles_nif"), 0).

%% One hangs on a scheduler; start the node with more than one. Others hang on dirty ones, one of which is killed
%% meanwhile, and one keeps a literal of code that was purged; one is in old code of aged.erl; and old code of later.erl
%% is to be purged, which waits for the first one.
start(File) ->
    0 = start_thread(),
    register(t_dirty, spawn(?MODULE, calls, [dirty])),
    keep_literal(),
    Killed = spawn(?MODULE, calls, [killed]),
    register(t_killed, Killed),
    register(t_released, spawn(fun() -> keeps(over_released()) end)),
    Holder = spawn(aged, waits, [self()]),
    receive {Holder, inside} -> ok end,
    [{module, Module} = code:load_file(Module) || Module <- [aged, later, later]],
    receive after 200 -> ok end,
    exit(Killed, kill),
    %% Not before all is ready: no timer of that scheduler runs from then on, nor much else.
    Purges = spawn_opt(fun() -> receive hangs -> receive after 200 -> erts_code_purger:purge(later) end end end,
                       [{scheduler, 2}]),
    register(t_purges, Purges),
    Loads = loader(t_loads, keys, 2),
    Queues = loader(t_queues, tails, 3),
    Hangs = fun() -> await(File), [Pid ! hangs || Pid <- [Purges, Loads, Queues]], calls(normal) end,
    register(t_normal, spawn_opt(Hangs, [{scheduler, 1}])),
    io:format("pids ~p ~p~n", [Killed, Holder]).

%% To copy the literal takes a collection, and none is made while native code runs.
keep_literal() ->
    register(t_literal, spawn(?MODULE, calls, [literal])),
    receive after 200 -> ok end,
    {module, constant} = code:load_file(constant),
    {true, false} = erts_code_purger:purge(constant),
    receive after 200 -> ok end.

%% To load code takes a permission that one process has at a time. They wait one after the other, each so many times: of
%% a debugger that stops them meanwhile timers that run side by side know nothing, and end all at once.
loader(Name, Module, Waits) ->
    {Module, Code, _} = code:get_object_code(Module),
    Load = fun() ->
        receive hangs -> ok end,
        [receive after 200 -> ok end || _ <- lists:seq(1, Waits)],
        erlang:load_module(Module, Code)
    end,
    Pid = spawn_opt(Load, [{scheduler, 2}]),
    register(Name, Pid),
    Pid.

calls(normal) ->
    Kept = {kept, normal},
    {hang({argument, 3}, [<<"second">>]), Kept};
calls(dirty) ->
    Kept = {kept, dirty},
    {dirty_hang({argument, 4}, [<<"third">>]), Kept};
calls(literal) ->
    Kept = constant:value(),
    {dirty_hang({argument, 6}, []), Kept};
calls(killed) ->
    Kept = {kept, killed},
    {dirty_io_hang({argument, 5}), Kept}.

keeps(Resources) ->
    receive never -> Resources end.

%% As soon as there is a file, a process ends that holds the only reference to the resource.
destroy(File) ->
    await(File),
    spawn(fun() -> Held = make_fragile(), erlang:garbage_collect(), io:format("~p~n", [is_reference(Held)]) end),
    receive never -> ok end.

%% More than there is in one piece.
run_out(File) ->
    await(File),
    binary:copy(<<"too much">>, 1 bsl 45).

%% The first function of a process ends with the native one, so no frame of Erlang is left.
fail(File) ->
    await(File),
    make_sure(5).

halts(File, How) ->
    await(File),
    erlang:halt("thrown out", How).

await(File) ->
    case file:read_file_info(File) of
        {ok, _} -> ok;
        _ -> receive after 10 -> await(File) end
    end.

hang(_, _) -> erlang:nif_error(not_loaded).
dirty_hang(_, _) -> erlang:nif_error(not_loaded).
dirty_io_hang(_) -> erlang:nif_error(not_loaded).
start_thread() -> erlang:nif_error(not_loaded).
make_fragile() -> erlang:nif_error(not_loaded).
make_sure(_) -> erlang:nif_error(not_loaded).
over_released() -> erlang:nif_error(not_loaded).
