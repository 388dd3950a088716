%% Load `onload` with success and without, and keep its literals while it goes.
-module(reload).
-export([run/1]).

%% What came of it, and what Count() was after each step.
run(Count) ->
    Steps = [{load, {error, refused}}, {load, ok}, {load, refused}, keep, {load, ok}, purge, {load, {error, x}}, delete, kept],
    Done = [{step(Step), Count()} || Step <- Steps],
    {[Result || {Result, _} <- Done], [Number || {_, Number} <- Done]}.

step({load, How}) ->
    persistent_term:put(onload, How),
    code:load_file(onload);
step(purge) ->
    code:purge(onload);
step(delete) ->
    {code:delete(onload), code:purge(onload)};
step(keep) ->
    Self = self(),
    Keeper = fun() ->
        Constants = onload:constants(),
        Self ! ready,
        receive go -> erlang:garbage_collect(), Self ! {kept, Constants} end
    end,
    Keepers = [spawn_link(Keeper) || _ <- [1, 2, 3]],
    [receive ready -> ok end || _ <- Keepers],
    put(keepers, Keepers),
    put(constants, onload:constants()),
    ok;
step(kept) ->
    erlang:garbage_collect(),
    Mine = get(constants),
    Kept = [begin Keeper ! go, receive {kept, Constants} -> Constants =:= Mine end end || Keeper <- get(keepers)],
    {Kept, erlang:phash2(Mine)}.
