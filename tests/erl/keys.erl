%% A process that holds maps with keys of which editors are to make names: with quotes and escapes, and alike at first.
-module(keys).
-export([start/0, turn/1]).

-define(LONG, 300).

start() ->
    true = register(?MODULE, spawn(?MODULE, turn, [binary:copy(<<"k">>, ?LONG)])),
    ok.

turn(Long) ->
    ok = hold(#{<<"user">> => #{"in it" => {1}}, <<"a\n\\">> => [2], <<Long/binary, "1">> => [3],
                <<Long/binary, "2">> => [4]}),
    receive after 2 -> ok end,
    turn(Long).

hold(Map) when is_map(Map) ->
    ok.
