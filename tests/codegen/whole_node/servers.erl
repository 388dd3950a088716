%% Processes by the behaviours of stdlib: a supervisor, a server and a state machine under it.
-module(servers).
-behaviour(gen_server).
-export([run/0, start_server/0, start_door/0, pingpong/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2]).
-export([callback_mode/0, handle_event/4]).

run() ->
    process_flag(trap_exit, true),
    {ok, Supervisor} = supervisor:start_link(?MODULE, supervisor),
    Results = [pingpong(500), casts(50), calls(), door(), restarts(Supervisor), events(), plain(), failing()],
    unlink(Supervisor),
    exit(Supervisor, shutdown),
    gone(Supervisor),
    process_flag(trap_exit, false),
    Results.

gone(Pid) ->
    Monitor = monitor(process, Pid),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end.

start_server() -> gen_server:start_link({local, server}, ?MODULE, server, []).
start_door() -> gen_statem:start_link({local, door}, ?MODULE, door, []).

pingpong(0) -> pong;
pingpong(N) ->
    {N, ping} = gen_server:call(server, {echo, {N, ping}}),
    pingpong(N - 1).

casts(N) ->
    [gen_server:cast(server, {add, K}) || K <- lists:seq(1, N)],
    server ! {add, 1000},
    gen_server:call(server, total).

calls() ->
    Request = gen_server:send_request(server, {echo, later}),
    {gen_server:wait_response(Request, 5000), (catch gen_server:call(server, slow, 1)), late(),
     gen_server:call(server, no_reply_yet), (catch gen_server:call(nobody, x)), sys:get_state(server)}.

late() ->
    Total = gen_server:call(server, late),
    timer:sleep(30),
    gen_server:call(server, total) - Total.

door() ->
    [gen_statem:call(door, Event) || Event <- [open, close, lock, open, {unlock, 1}, {unlock, 42}, open, wait, state]].

restarts(Supervisor) ->
    Old = whereis(server),
    Monitor = monitor(process, Old),
    gen_server:cast(server, crash),
    Reason = receive {'DOWN', Monitor, process, Old, {{badmatch, _} = R, _}} -> R end,
    wait_for_other(Old),
    {Reason, gen_server:call(server, total), proplists:get_value(active, supervisor:count_children(Supervisor)),
     [{Id, is_pid(Pid), Type} || {Id, Pid, Type, _} <- lists:sort(supervisor:which_children(Supervisor))]}.

wait_for_other(Old) ->
    case whereis(server) of
        Pid when is_pid(Pid), Pid =/= Old -> ok;
        _ -> timer:sleep(1), wait_for_other(Old)
    end.

events() ->
    {ok, Manager} = gen_event:start_link(),
    Handlers = gen_event:which_handlers(Manager),
    ok = gen_event:stop(Manager),
    {Handlers, receive {'EXIT', Manager, Why} -> Why end}.

plain() ->
    Self = self(),
    Pid = proc_lib:start_link(erlang, apply, [fun() -> proc_lib:init_ack({started, 1}), Self ! {ran, proc_lib:translate_initial_call(self())}, receive stop -> ok end end, []]),
    {Pid, receive {ran, Call} -> Call end}.

failing() ->
    {proc_lib:start_link(erlang, apply, [fun() -> proc_lib:init_fail({error, broken}, {exit, normal}) end, []], 5000), (catch gen_server:start_link(?MODULE, refuse, []))}.

init(supervisor) ->
    Children = [#{id => Id, start => {?MODULE, Start, []}} || {Id, Start} <- [{server, start_server}, {door, start_door}]],
    {ok, {#{strategy => one_for_one, intensity => 5, period => 10}, Children}};
init(server) -> {ok, 0, {continue, begun}};
init(door) -> {ok, closed, #{}};
init(refuse) -> {stop, refused}.

handle_continue(begun, Total) -> {noreply, Total}.

handle_call({echo, Term}, _From, Total) -> {reply, Term, Total};
handle_call(total, _From, Total) -> {reply, Total, Total};
handle_call(slow, _From, Total) -> timer:sleep(30), {reply, too_late, Total};
handle_call(late, _From, Total) -> {reply, Total, Total, 1};
handle_call(no_reply_yet, From, Total) -> self() ! {answer, From}, {noreply, Total}.

handle_cast({add, N}, Total) -> {noreply, Total + N};
handle_cast(crash, Total) -> {this, _} = Total, {noreply, Total}.

handle_info({add, N}, Total) -> {noreply, Total + N};
handle_info({answer, From}, Total) -> gen_server:reply(From, answered), {noreply, Total};
handle_info(timeout, Total) -> {noreply, Total + 1};
handle_info(_, Total) -> {noreply, Total}.

terminate(_Reason, _Total) -> ok.

callback_mode() -> [handle_event_function, state_enter].

handle_event(enter, _Old, _State, _Data) -> keep_state_and_data;
handle_event({call, From}, open, closed, Data) -> {next_state, open, Data, [{reply, From, opened}]};
handle_event({call, From}, close, open, Data) -> {next_state, closed, Data, [{reply, From, closed}]};
handle_event({call, From}, lock, closed, Data) -> {next_state, {locked, 42}, Data, [{reply, From, locked}]};
handle_event({call, From}, {unlock, Code}, {locked, Code}, Data) -> {next_state, closed, Data, [{reply, From, unlocked}]};
handle_event({call, From}, wait, _State, Data) -> {keep_state, Data#{waiting => From}, [{state_timeout, 5, waited}]};
handle_event(state_timeout, waited, _State, #{waiting := From} = Data) -> {keep_state, maps:remove(waiting, Data), [{reply, From, waited}]};
handle_event({call, From}, state, State, Data) -> {keep_state_and_data, [{reply, From, {State, Data}}]};
handle_event({call, From}, Event, State, _Data) -> {keep_state_and_data, [{reply, From, {no, Event, State}}]}.
