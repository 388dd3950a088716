%% Two processes that Erlang's own debugger stops at a line, in a node that was started with `+D`: `debugged_waits` is
%% left there, `debugged_runs` goes on, to be stopped again in its next round. To be compiled with `+beam_debug_info`, by
%% the compiler of OTP 28 or later.
-module(debugged).
-export([start/0, waits/0, runs/1]).

start() ->
    Starter = self(),
    Debugger = spawn(fun() -> debug(Starter) end),
    receive {Debugger, ready} -> ok end,
    register(debugged_waits, spawn(?MODULE, waits, [])),
    receive {Debugger, stopped} -> ok end,
    register(debugged_runs, spawn(?MODULE, runs, [1])),
    ok.

debug(Starter) ->
    {ok, Session} = erl_debugger:register(self()),
    {ok, #{{inner, 2} := Lines}} = erl_debugger:breakpoints(?MODULE),
    ok = erl_debugger:breakpoint(?MODULE, lists:max(maps:keys(Lines)), true),
    Starter ! {self(), ready},
    receive {debugger_event, Session, {breakpoint, _, {?MODULE, inner, 2}, _, _}} -> Starter ! {self(), stopped} end,
    resume(Session).

resume(Session) ->
    receive {debugger_event, Session, {breakpoint, _, _, _, Resume}} -> Resume() end,
    resume(Session).

waits() ->
    outer([payload], first).

runs(Round) ->
    {_, _} = outer([payload], Round),
    runs(Round + 1).

outer(Data, Kind) ->
    Inside = inner(Kind, Data),
    {Inside, Data}.

inner(Kind, Data) ->
    Kept = [Kind | Data],
    Size = length(Kept),
    {Size, Kept}.
