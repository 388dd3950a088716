%% A process that loads and purges the module later.erl, when files in a folder tell it to:
%%   load    load it, and call later:called/1 from then on, once in every turn
%%   purge   stop calling, and remove it
%%   other   load another module, which may come to lie where later was
-module(loads).
-export([start/1, turn/3]).

start(Folder) ->
    true = register(loads, spawn(?MODULE, turn, [Folder, none, 0])),
    ok.

turn(Folder, State, Round) ->
    Next = advance(Folder, State),
    done = called(Next, Round),
    receive after 2 -> ok end,
    turn(Folder, Next, Round + 1).

advance(Folder, none) ->
    step(Folder, "load", none, loaded, fun() -> {module, later} = code:load_file(later) end);
advance(Folder, loaded) ->
    step(Folder, "purge", loaded, purged, fun() -> true = code:delete(later), false = code:purge(later) end);
advance(Folder, purged) ->
    step(Folder, "other", purged, other, fun() -> {module, _} = code:load_file(busy) end);
advance(_Folder, other) ->
    other.

step(Folder, File, Before, After, Do) ->
    case file:read_file_info(filename:join(Folder, File)) of
        {ok, _} -> Do(), ok = file:write_file(filename:join(Folder, File ++ ".done"), <<>>), After;
        {error, enoent} -> Before
    end.

called(loaded, Round) -> later:called({round, Round});
called(_, _) -> done.
