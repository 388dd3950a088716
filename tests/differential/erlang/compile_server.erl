%% Compiles modules on demand: terms {Source, Folder, Options} on standard input, an answer in one line for each.
-module(compile_server).
-export([start/0]).

start() ->
    case io:read("") of
        {ok, {Source, Folder, Options}} ->
            io:format("~0tp~n", [compiled(Source, [{outdir, Folder}, return | Options])]),
            start();
        eof ->
            halt()
    end.

compiled(Source, Options) ->
    try compile:file(Source, Options) of
        {ok, _, _} -> ok;
        {error, Errors, _} -> {error, [{Line, unicode:characters_to_binary(M:format_error(What))} || {_, Some} <- Errors, {Line, M, What} <- Some]}
    catch
        Class:Reason -> {error, {Class, Reason}}
    end.
