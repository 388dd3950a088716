%% A server that is long at work on a call, in a module that is named as those of Elixir are.
-module('Elixir.Overdue').
-export([start/0, work/1]).

start() ->
    Server = spawn(fun() -> register('Elixir.Server', self()), serve() end),
    spawn(fun() -> register(customer, self()), gen_server:call(Server, work, infinity) end).

serve() ->
    %% The second message waits.
    receive {'$gen_call', _, work} -> self() ! later, work(0) end.

work(Count) ->
    work(Count + 1).
