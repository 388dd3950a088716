-module(hello).
-export([start/2]).

start(_, _) ->
    halt(42, [{flush, false}]).
