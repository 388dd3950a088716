%% Loads a module and its NIFs again and again.
-module(replacing).
-export([run/1]).

run(File) ->
    [{Way, loaded(Way, File)} || Way <- [in_body, last, only]].

loaded(Way, File) ->
    {module, replaced} = code:load_file(replaced),
    Before = replaced:calls(),
    {error, {load_failed, _}} = replaced:only("/no/such/library"),
    Between = replaced:calls(),
    Said = replaced:Way(File),
    After = replaced:calls(),
    {error, {reload, _}} = replaced:only(File),
    Traced = traced(),
    code:purge(replaced),
    {module, replaced} = code:load_file(replaced),
    Anew = replaced:calls(),
    code:purge(replaced),
    {Before, Between, Said, After, Traced, Anew}.

%% Calls of what is a NIF now.
traced() ->
    erlang:trace_pattern({replaced, plus, 2}, true, [local]),
    Self = self(),
    Tracer = spawn(fun() ->
        receive count -> Self ! {calls, element(2, process_info(self(), message_queue_len))} end
    end),
    {Pid, Monitor} = spawn_monitor(fun() ->
        erlang:trace(self(), true, [call, {tracer, Tracer}]),
        Calls = replaced:calls(),
        erlang:trace(self(), false, [all]),
        Delivered = erlang:trace_delivered(self()),
        receive {trace_delivered, _, Delivered} -> exit(Calls) end
    end),
    Calls = receive {'DOWN', Monitor, process, Pid, Result} -> Result end,
    erlang:trace_pattern({replaced, plus, 2}, false, [local]),
    Tracer ! count,
    receive {calls, Count} -> {Calls, Count} end.
