%% Compiles modules on demand: terms {Source, Folder, Options} on standard input, an answer in one line for each.
-module(compile_server).
-export([start/0]).

-define(PATIENCE, 20000). % milliseconds

start() ->
    case io:read("") of
        {ok, {Source, Folder, Options}} ->
            Answer = in_time(fun() -> compiled(Source, [{outdir, Folder}, return | Options]) end),
            io:format("~0tp~n", [Answer]),
            start();
        eof ->
            halt()
    end.

%% For some sources the compiler's analysis of types takes minutes.
in_time(Work) ->
    {Pid, Monitor} = spawn_monitor(fun() -> exit({done, Work()}) end),
    receive
        {'DOWN', Monitor, process, Pid, {done, Answer}} -> Answer;
        {'DOWN', Monitor, process, Pid, Reason} -> {error, Reason}
    after ?PATIENCE ->
        exit(Pid, kill),
        receive {'DOWN', Monitor, process, Pid, _} -> {error, slow} end
    end.

compiled(Source, Options) ->
    case compile:file(Source, Options) of
        {ok, _, _} -> ok;
        {error, Errors, _} -> {error, [{Line, text(M, What)} || {_, Some} <- Errors, {Line, M, What} <- Some]}
    end.

text(Module, What) ->
    unicode:characters_to_binary(Module:format_error(What)).
