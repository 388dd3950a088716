%% Calls itself a part of twin.erl, whose lines are others. It loads that module when a file is there.
-module(twin_other).
-export([start/1, wait/1, stray/1]).

start(File) ->
    spawn(?MODULE, wait, [File]),
    ok.

wait(File) ->
    timer:sleep(20),
    case file:read_file_info(File) of
        {ok, _} -> twin:start();
        {error, enoent} -> stray(1), wait(File)
    end.

-file("twin.erl", 15).
stray(N) ->
    M = N bxor 3,

    Hash = erlang:phash2({N, M}),
    Hash rem 5.
