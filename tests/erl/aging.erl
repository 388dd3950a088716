%% Processes in old code, and what the node says of them: a line "old PID ANSWER" for each.
-module(aging).
-export([start/0, wait/1, keep/2]).

start() ->
    {module, aged} = code:load_file(aged),
    Self = self(),
    Pids = [spawn(aged, waits, [Self]), spawn(aged, calls, [Self]), spawn(?MODULE, keep, [Self, aged:makes(Self)])],
    [receive {Pid, inside} -> ok end || Pid <- Pids],
    {module, aged} = code:load_file(aged),
    [io:format("old ~p ~p~n", [Pid, erlang:check_process_code(Pid, aged)]) || Pid <- [Self | Pids]],
    [io:format("old_module ~p~n", [Module]) || {Module, _} <- code:all_loaded(), erlang:check_old_code(Module)],
    ok.

wait(Parent) ->
    Parent ! {self(), inside},
    receive never -> ok end.

%% A fun of old code is no reason to be killed.
keep(Parent, Fun) ->
    wait(Parent),
    Fun.
