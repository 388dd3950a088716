%% What people ask about in public: native functions that hang, a process that was killed while one runs, a purge that
%% waits for old code, a destructor that crashes, memory that runs out.
-module(troubles).
-export([start/1, destroy/1, run_out/1]).
-export([calls/1, holds/1, hang/2, dirty_hang/2, dirty_io_hang/1, start_thread/0, make_fragile/0]).
-export([over_released/0]).
-on_load(load/0).

load() ->
    erlang:load_nif(filename:join(filename:dirname(code:which(?MODULE)), "troubles_nif"), 0).

%% One hangs on a scheduler; start the node with more than one. Others hang on dirty ones, one of which is killed
%% meanwhile; and one is in old code of later.erl, which a process wants to purge.
start(File) ->
    0 = start_thread(),
    register(t_dirty, spawn(?MODULE, calls, [dirty])),
    Killed = spawn(?MODULE, calls, [killed]),
    register(t_killed, Killed),
    register(t_released, spawn(fun() -> keeps(over_released()) end)),
    Holder = spawn(?MODULE, holds, [self()]),
    receive {Holder, inside} -> ok end,
    receive after 200 -> ok end,
    exit(Killed, kill),
    %% Not before all is ready: no timer of that scheduler runs from then on, nor much else.
    register(t_normal, spawn(fun() -> await(File), calls(normal) end)),
    io:format("pids ~p ~p~n", [Killed, Holder]).

calls(normal) ->
    Kept = {kept, normal},
    {hang({argument, 3}, [<<"second">>]), Kept};
calls(dirty) ->
    Kept = {kept, dirty},
    {dirty_hang({argument, 4}, [<<"third">>]), Kept};
calls(killed) ->
    Kept = {kept, killed},
    {dirty_io_hang({argument, 5}), Kept}.

holds(Parent) ->
    Parent ! {self(), inside},
    receive never -> ok end.

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
over_released() -> erlang:nif_error(not_loaded).
