%% A module that loads.erl loads, calls and purges.
-module(later).
-export([called/1]).

called({round, Round}) ->
    _ = inner(Round),
    done.

inner(Round) ->
    Round * 2.
