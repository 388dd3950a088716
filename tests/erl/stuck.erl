%% Processes that wait for each other, but not in gen:do_call/4; and what is heard of another node.
-module(stuck).
-export([start/0, task/0, near/1, far/0, init/1, child/0, callback_mode/0, handle_event/4, handle_call/3, handle_cast/2]).

%% Each of a pair waits for the other, and prints "stuck KIND PID".
start() ->
    multi_calls(),
    machines(),
    spawn(fun() -> supervisor:start_link({local, s_starts}, ?MODULE, supervisor) end),
    receive after 200 -> ok end,
    Kinds = [{multi_call, [m_one, m_two]}, {statem, [t_one, t_two]}, {init, [s_starts, s_child]}],
    [io:format("stuck ~p ~p~n", [Kind, whereis(Name)]) || {Kind, Names} <- Kinds, Name <- Names],
    ok.

multi_calls() ->
    Call = fun(Name) -> gen_server:multi_call([nowhere@nohost, node()], Name, hello) end,
    [{ok, _} = gen_server:start({local, Name}, ?MODULE, server, []) || Name <- [m_one, m_two]],
    [gen_server:cast(Name, {Call, Other}) || {Name, Other} <- [{m_one, m_two}, {m_two, m_one}]].

machines() ->
    Call = fun(Name) -> gen_statem:call(Name, hello, {clean_timeout, 600000}) end,
    [{ok, _} = gen_statem:start({local, Name}, ?MODULE, machine, []) || Name <- [t_one, t_two]],
    [gen_statem:cast(Name, {Call, Other}) || {Name, Other} <- [{t_one, t_two}, {t_two, t_one}]].

%% A server of Elixir's waits for tasks, of which one waits for it.
task() ->
    Self = self(),
    {ok, Server} = gen_server:start({local, e_waits}, ?MODULE, server, []),
    Wait = fun(_) ->
        Tasks = ['Elixir.Task':async(fun() -> receive after N -> gen_server:call(Server, N, infinity) end end)
                 || N <- [600000, 1]],
        Self ! tasks,
        'Elixir.Task':await_many(Tasks, infinity)
    end,
    gen_server:cast(Server, {Wait, none}),
    receive tasks -> ok end,
    receive after 200 -> ok end.

init(supervisor) -> {ok, {{one_for_one, 1, 1}, [#{id => child, start => {?MODULE, child, []}}]}};
init(machine) -> {ok, state, none};
init(child) -> register(s_child, self()), {ok, supervisor:which_children(s_starts)};
init(server) -> {ok, none}.

child() -> gen_server:start_link(?MODULE, child, []).

callback_mode() -> handle_event_function.

handle_event(cast, {Call, Whom}, _, _) -> Call(Whom), keep_state_and_data;
handle_event(_, _, _, _) -> keep_state_and_data.

handle_call(_, _, State) -> {reply, ok, State}.

handle_cast({Call, Whom}, State) -> Call(Whom), {noreply, State}.

%% Two that are called the same on two nodes: one asks the other, which does not answer. `heard` and `unheard` have
%% messages of the other node. How many bytes the first one has is asked, and printed.
near(Far) ->
    spawn(fun() -> register(namesake, self()), gen_server:call({namesake, Far}, hello, infinity) end),
    [register(Name, spawn_opt(timer, sleep, [infinity], [{message_queue_data, off_heap}])) || Name <- [heard, unheard]],
    {fills, Far} ! {self(), [{Name, node()} || Name <- [heard, unheard]]},
    receive filled -> ok end,
    receive after 200 -> ok end,
    io:format("near ~w~n", [process_info(whereis(heard), memory)]).

far() ->
    register(namesake, spawn(timer, sleep, [infinity])),
    register(fills, spawn(fun() ->
        receive {Asks, Names} ->
            [Name ! What || Name <- Names, N <- lists:seq(1, 100), What <- [lists:seq(1, 2 * N), {N, <<N:4000>>}]],
            [Name ! lists:seq(1, 40000) || Name <- Names],
            Asks ! filled,
            receive never -> ok end
        end
    end)).
