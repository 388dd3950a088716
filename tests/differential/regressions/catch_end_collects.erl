%% What a catch makes of an exception lies in x1 to x3 until its end: a collection on the way there must keep it.
-module(catch_end_collects).
-export([cases/0, nested/2, reasons/2]).

cases() ->
    [{nested, [<<109, 190, 216, 63, 1, 2>>, not_an_integer]}, {reasons, [60, start]}].

nested(<<_:3, Rest/bits>>, X) ->
    nested(Rest, catch <<(same(<<254, 245, 168, 0:500>>))/bits, (same(X)):8>>);
nested(Rest, X) ->
    {Rest, X}.

reasons(0, X) ->
    X;
reasons(N, X) ->
    reasons(N - 1, catch error({N, [same(N), X]})).

same(X) ->
    X.
