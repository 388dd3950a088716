%% Processes that change the VM all the time, for a debugger to stop in the middle of it: one collects its garbage, one
%% sends and another receives, some end, a table grows and shrinks, and code is loaded and purged.
-module(changing).
-export([start/0, collects/1, sends/1, receives/0, ends/0, resizes/1, purges/0]).

start() ->
    Receives = spawn(?MODULE, receives, []),
    [register(Name, spawn(?MODULE, Function, Arguments))
     || {Name, Function, Arguments} <- [{c_collects, collects, [lists:seq(1, 5000)]}, {c_sends, sends, [Receives]},
                                        {c_ends, ends, []}, {c_resizes, resizes, [none]}, {c_purges, purges, []}]],
    register(c_receives, Receives),
    ok.

turn() ->
    receive after 5 -> ok end.

collects(Live) ->
    turn(),
    erlang:garbage_collect(),
    collects([N + 1 || N <- Live]).

sends(To) ->
    turn(),
    To ! {a, "message", binary:copy(<<"b">>, 100)},
    sends(To).

receives() ->
    receive {a, _, _} -> receives() end.

ends() ->
    turn(),
    spawn_link(fun() -> put(key, ets:new(t_of_who_ends, [])), ok end),
    ends().

resizes(none) ->
    resizes(ets:new(t_resized, [named_table, public]));
resizes(Table) ->
    [ets:insert(Table, {N, N}) || N <- lists:seq(1, 2000)],
    turn(),
    ets:delete_all_objects(Table),
    resizes(Table).

purges() ->
    turn(),
    {module, constant} = code:load_file(constant),
    erts_code_purger:purge(constant),
    purges().
