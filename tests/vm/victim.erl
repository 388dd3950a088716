-module(victim).
-export([work/1]).

work(N) ->
    N + 1.
