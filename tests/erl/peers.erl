%% Two processes that serve, and look after one another.
-module(peers).
-export([start/0]).

start() ->
    One = spawn(fun() -> register(primary, self()), receive {peer, Two} -> look_after(Two) end end),
    One ! {peer, spawn(fun() -> register(standby, self()), look_after(One) end)},
    %% Each has served, and so waits in its loop.
    [serve(Name) || Name <- [primary, standby]],
    receive after 100 -> ok end.

serve(Name) ->
    case whereis(Name) of
        undefined -> receive after 10 -> serve(Name) end;
        Pid -> Pid ! {work, self()}, receive {done, _} -> ok end
    end.

look_after(Other) -> loop(Other, monitor(process, Other), 0).

loop(Other, Ref, N) ->
    receive
        {work, From} -> From ! {done, N}, loop(Other, Ref, N + 1);
        {'DOWN', Ref, process, Other, _} -> exit(alone)
    end.
