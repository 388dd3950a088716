%% Processes that wait below functions which are traced: the VM has put frames of its own onto their stacks.
%%
%% A process `traced_KIND` is in outer/2, which has called a traced function, which has called park/1. And the process
%% `stages`, of stages.erl, which stages/0 starts, calls in_nif/2 with both return_trace and return_to.
-module(traced).
-export([start/0, stages/0, returns/1, excepts/1, timed/1, timed_within/1, goes_back/1]).

start() ->
    Tracer = spawn(fun drain/0),
    register(traced_tracer, Tracer),
    1 = erlang:trace_pattern({?MODULE, returns, 1}, [{'_', [], [{return_trace}]}], [local]),
    1 = erlang:trace_pattern({?MODULE, excepts, 1}, [{'_', [], [{exception_trace}]}], [local]),
    1 = erlang:trace_pattern({?MODULE, goes_back, 1}, true, [local]),
    [1, 1] = [erlang:trace_pattern({?MODULE, F, 1}, true, [call_time]) || F <- [timed, timed_within]],
    lists:foreach(fun({Kind, Flags}) -> go(Kind, [{tracer, Tracer} | Flags]) end,
                  [{returns, [call]}, {excepts, [call]}, {timed, [call]}, {goes_back, [call, return_to]}]).

stages() ->
    {module, stages} = code:ensure_loaded(stages),
    1 = erlang:trace_pattern({stages, in_nif, 2}, [{'_', [], [{return_trace}]}], [local]),
    Flags = [call, return_to, {tracer, whereis(traced_tracer)}],
    erlang:trace(new_processes, true, Flags),
    stages:start(),
    erlang:trace(new_processes, false, Flags).

go(Kind, Flags) ->
    Pid = spawn(fun() -> receive go -> outer(Kind, [payload, Kind]) end end),
    register(list_to_atom("traced_" ++ atom_to_list(Kind)), Pid),
    1 = erlang:trace(Pid, true, Flags),
    Pid ! go,
    await_parked(Pid).

await_parked(Pid) ->
    case process_info(Pid, [current_function, status]) of
        [{current_function, {?MODULE, park, 1}}, {status, waiting}] -> ok;
        _ -> erlang:yield(), await_parked(Pid)
    end.

outer(Kind, Data) ->
    Value = call(Kind, Data),
    {Value, Kind, Data}.

call(returns, Data) -> {called, returns(Data)};
call(excepts, Data) -> {called, excepts(Data)};
call(timed, Data) -> {called, timed(Data)};
call(goes_back, Data) -> {called, goes_back(Data)}.

returns(Data) -> {park(Data), Data}.
excepts(Data) -> {park(Data), Data}.
timed(Data) -> {timed_within(Data), Data}.
timed_within(Data) -> {park(Data), Data}.
goes_back(Data) -> {park(Data), Data}.

park(Data) ->
    receive {go_on, Data} -> Data end.

drain() ->
    receive _ -> drain() end.
