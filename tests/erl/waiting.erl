%% Servers that call each other.
-module(waiting).
-behaviour(gen_server).
-export([start/0, init/1, handle_call/3, handle_cast/2, callback_mode/0, handle_event/4]).

%% w_a and w_b wait for each other, w_c and w_d for w_a, and w_e for nobody.
start() ->
    [{ok, _} = gen_server:start({local, Name}, ?MODULE, [], []) || Name <- [w_a, w_b, w_c, w_d, w_e]],
    States = [{w_state, {state, w_state, ["of", <<"this">>], self()}, infinity}, {w_asleep, [asleep, waiting], hibernate}],
    [{ok, _} = gen_server:start({local, Name}, ?MODULE, {State, How}, []) || {Name, State, How} <- States],
    %% Machines are like that too.
    Machines = [{w_machine, infinity}, {w_napping, hibernate}],
    [{ok, _} = gen_statem:start({local, Name}, ?MODULE, {machine, Name, How}, []) || {Name, How} <- Machines],
    receive after 20 -> ok end,
    Names = [w_e, w_state, w_asleep, w_machine, w_napping],
    [io:format("state ~p ~0p~n", [Name, sys:get_state(Name)]) || Name <- Names],
    %% One is kept busy by a request that looks like what the loop has beside its state.
    {ok, _} = gen_server:start({local, w_busy}, ?MODULE, {{busy, state}, infinity}, []),
    w_busy ! {'$gen_call', {self(), make_ref()}, self()},
    gen_server:cast(w_a, {call, whereis(w_b), 1}),
    receive after 100 -> ok end,
    gen_server:cast(w_b, {call, whereis(w_a), 2}),
    gen_server:cast(w_c, {call, w_a, 3}),
    gen_server:cast(w_d, {call, whereis(w_a), 4}),
    receive after 100 -> ok end,
    [io:format("waiting ~p ~p~n", [Name, whereis(Name)]) || Name <- [w_a, w_b, w_c, w_d, w_e]],
    ok.

init([]) -> {ok, none};
init({machine, Data, hibernate}) -> {ok, shut, {data, Data}, [hibernate]};
init({machine, Data, _}) -> {ok, ajar, {data, Data}};
init({State, How}) -> {ok, State, How}.

handle_call(Pid, _, _) when is_pid(Pid) -> receive never -> stop end;
handle_call(_, _, State) -> {reply, ok, State}.

handle_cast({call, Who, What}, State) ->
    %% Before w_b is told to call w_a, that waits for it already: it must not answer.
    case What of 1 -> gen_server:cast(Who, stop_answering), receive after 20 -> ok end; _ -> ok end,
    {noreply, {gen_server:call(Who, {please, What}, infinity), State}};
handle_cast(stop_answering, State) ->
    %% What comes now waits in the queue until this has called too.
    receive {'$gen_cast', {call, Who, What}} -> handle_cast({call, Who, What}, State) end.

callback_mode() -> handle_event_function.

handle_event(_, _, _, _) -> keep_state_and_data.
