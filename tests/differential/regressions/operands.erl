%% Operands that are the same twice, or constants where registers are usual.
-module(operands).
-export([cases/0, pairs/2, order/1, chosen/1, extremes/2]).

cases() ->
    [{F, [T]} || F <- [order, chosen], T <- terms()] ++ [{F, [S, T]} || F <- [pairs, extremes], S <- [a, [], 7], T <- terms()].

terms() ->
    [0, 1, -1, 134217727, -134217728, 134217728, 1 bsl 70, 0.0, -0.0, 1.0, 0.1, a, [], [[]], {}, {[]}, <<>>, "a", #{}, #{[] => []}].

pairs(X, Y) ->
    One = [X | X],
    Other = {Y, Y, [Y | One], [One | One]},
    [Other | Other].

order(X) ->
    {X < [], X > [], X =< [], X >= [], [] < X, [] >= X, X == [], [] =:= X, X /= [], X =/= [],
     X < 0, 0 < X, X >= 0.0, X == 0, X =:= 0.0, X < a, a < X, X < {}, X >= <<>>, X == #{}, X =:= #{[] => []}}.

chosen(X) ->
    Integer = case X of 1 -> one; 134217727 -> most; 134217728 -> more; -134217728 -> least; 1180591620717411303424 -> big; _ -> none end,
    Other = case X of 0.1 -> tenth; 1.0 -> one; [] -> nil; {} -> empty; a -> a; "a" -> text; <<>> -> bits; _ -> none end,
    {Integer, Other}.

extremes(X, Y) ->
    {min(X, Y), max(X, Y), max(Y, []), min([], Y), max(Y, 0), min(1, Y), X =:= Y, X == Y, X =< Y}.
