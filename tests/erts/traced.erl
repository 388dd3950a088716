%% Functions to be traced: the stubs of their calls bear their names.
-module(traced).
-export([outer/2, inner/1]).

outer(X, Y) ->
    A = ?MODULE:inner(X),
    B = ?MODULE:inner(Y),
    try A + B + list_to_integer("1") catch _:_ -> none end.

inner(X) ->
    [Y] = lists:reverse([X]),
    Y.
