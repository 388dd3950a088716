%% Dies in a native function that reads address 0, below three Erlang frames that keep their arguments.
-module(crash).
-export([start/1, run/0, outer/2, middle/3, inner/2, read_null/1]).
-on_load(load/0).

load() ->
    erlang:load_nif(filename:join(filename:dirname(code:which(?MODULE)), "crash_nif"), 0).

%% Wait for a file to appear before.
start(File) ->
    case filelib:is_file(File) of
        true -> run();
        false -> receive after 50 -> start(File) end
    end.

run() ->
    outer(#{reason => "why it died"}, [1, 2, 3]).

outer(Map, List) ->
    Answer = middle({order, 66}, List, <<"payload">>),
    {Answer, Map, List}.

middle(Tuple, List, Binary) ->
    Answer = inner(length(List) * 14, Binary),
    [Answer, Tuple, List | Binary].

inner(Number, Binary) ->
    Answer = read_null({last, Number}),
    {Answer, Number, Binary}.

read_null(_Term) ->
    erlang:nif_error(not_loaded).
