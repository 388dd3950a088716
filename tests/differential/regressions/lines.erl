%% A BIF without a frame of its own fails where it is called, but the VM takes the line of what comes next.
-module(lines).
-export([cases/0, by_fun/1, by_name/2, in_handler/1, before_move/1, before_tail_call/1, before_tail_bif/1, no_clause/2]).

cases() ->
    [{by_fun, [F]} || F <- [fun erlang:hd/1, fun erlang:tl/1, fun erlang:atom_to_list/1, fun erlang:node/1]] ++
        [{by_name, [erlang, F]} || F <- [hd, tl, atom_to_list, node]] ++
        [{F, [fun erlang:hd/1]} || F <- [in_handler, before_move, before_tail_call, before_tail_bif]] ++
        [{no_clause, [[], 1.0e10]}].

by_fun(F) ->
    One = F(1),
    Other =
        F(2),
    <<(hd(One)), (hd(Other))/utf8, 0:416>>.

by_name(M, F) ->
    One = M:F(1),
    [
        One |
        M:F(2)
    ].

in_handler(F) ->
    try
        throw(1.5)
    catch
        _:_ ->
            _ = F(1),
            <<133, 148, (self_size()):416>>
    end.

%% A line moves before a move to x0.
before_move(F) ->
    _ = F(1),
    [
        same(1.5)
    ].

before_tail_call(F) ->
    _ = F(1),
    same(1.5).

before_tail_bif(F) ->
    _ = F(1),
    erlang:atom_to_list(x).

%% A line right at the beginning is that of function_clause too.
no_clause(_, _) when {} ->
    #{};
no_clause(A, _) when (<<>> =< {<<13, 212, 0:424>>, [8364, 960]}), A > 3 ->
    #{}.

same(X) ->
    X.

self_size() ->
    length(get()).
