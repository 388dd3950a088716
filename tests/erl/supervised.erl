%% A supervision tree, and what the node itself says of it: "child SUPERVISOR ID PID TYPE RESTART" for each child of each
%% supervisor of it and of kernel's, "label PID LABEL" and "helper PID PARENT".
-module(supervised).
-behaviour(supervisor).
-export([start/0, init/1, worker/1, work/2]).

start() ->
    Self = self(),
    spawn(fun() ->
        {ok, _} = supervisor:start_link({local, s_top}, ?MODULE, top),
        grow(),
        Self ! grown,
        receive never -> ok end
    end),
    receive grown -> ok end,
    [tell(Supervisor) || Supervisor <- [kernel_sup, s_top]],
    ok.

%% What only happens after the start: a child has gone, one was restarted, others were added.
grow() ->
    ok = supervisor:terminate_child(s_top, gone),
    Old = pid(killed),
    exit(Old, kill),
    restarted(Old),
    [{ok, _} = supervisor:start_child(Name, [N]) || Name <- [s_pool, s_temporary], N <- lists:seq(1, 40)],
    ok.

pid(Id) ->
    {Id, Pid, _, _} = lists:keyfind(Id, 1, supervisor:which_children(s_top)),
    Pid.

restarted(Old) ->
    case pid(killed) of
        New when is_pid(New), New =/= Old -> ok;
        _ -> receive after 1 -> restarted(Old) end
    end.

init(top) ->
    Workers = [worker_spec(Id, Restart) || {Id, Restart} <-
        [{killed, permanent}, {gone, transient}, {{two, "parts"}, temporary}, {last, transient}]],
    Supervisors = [#{id => Id, start => {supervisor, start_link, [{local, Id}, ?MODULE, Of]}, type => supervisor}
                   || {Id, Of} <- [{s_pool, {dynamic, permanent}}, {s_temporary, {dynamic, temporary}}, {s_empty, empty}]],
    {ok, {#{strategy => one_for_one, intensity => 3, period => 3600}, Workers ++ Supervisors}};
init({dynamic, Restart}) ->
    {ok, {#{strategy => simple_one_for_one}, [worker_spec(dynamic, Restart)]}};
init(empty) ->
    {ok, {#{strategy => rest_for_one}, []}}.

worker_spec(dynamic, Restart) ->
    #{id => dynamic, start => {?MODULE, worker, []}, restart => Restart};
worker_spec(Id, Restart) ->
    #{id => Id, start => {?MODULE, worker, [Id]}, restart => Restart}.

worker(Id) ->
    proc_lib:start_link(?MODULE, work, [self(), Id]).

work(Supervisor, Id) ->
    Self = self(),
    label(Id),
    Id =:= last andalso io:format("helper ~p ~p~n", [proc_lib:spawn_link(fun() -> receive never -> ok end end), Self]),
    proc_lib:init_ack(Supervisor, {ok, Self}),
    receive never -> ok end.

%% Since OTP 27.
label(Id) ->
    case erlang:function_exported(proc_lib, set_label, 1) of
        true ->
            proc_lib:set_label({supervised, Id}),
            io:format("label ~p ~0p~n", [self(), {supervised, Id}]);
        false ->
            ok
    end.

tell(Supervisor) ->
    [begin
        io:format("child ~p ~0p ~p ~p ~p~n", [whereis_pid(Supervisor), Id, Pid, Type, restart(Supervisor, Id, Pid)]),
        Type =:= supervisor andalso is_pid(Pid) andalso tell(Pid)
    end || {Id, Pid, Type, _} <- supervisor:which_children(Supervisor)].

whereis_pid(Name) when is_atom(Name) -> whereis(Name);
whereis_pid(Pid) -> Pid.

restart(Supervisor, undefined, Pid) ->
    {ok, #{restart := Restart}} = supervisor:get_childspec(Supervisor, Pid),
    Restart;
restart(Supervisor, Id, _) ->
    {ok, #{restart := Restart}} = supervisor:get_childspec(Supervisor, Id),
    Restart.
