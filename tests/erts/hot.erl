%% A module that is exchanged while it runs; VERSION is given to the compiler.
-module(hot).
-export([version/0, hold/2, work/1, deep/2]).

version() -> ?VERSION.

%% Wait with so many frames of this code on the stack, then tell what they make.
hold(Depth, To) ->
    To ! {self(), deep(Depth, fun wait/0)}.

deep(0, Fun) -> Fun();
deep(N, Fun) ->
    X = {N, [N]},
    Sum = deep(N - 1, Fun),
    {M, [M]} = X,
    Sum + M.

wait() ->
    receive go -> ?VERSION after 100000 -> late end.

%% Garbage, big integers, binaries, exceptions and messages to oneself; the same in all versions.
work(N) ->
    L = [{K, integer_to_list(K * K)} || K <- lists:seq(1, N)],
    B = << <<K:16, (list_to_binary(S))/binary>> || {K, S} <- L>>,
    Big = lists:foldl(fun({K, _}, A) -> A * (K rem 7 + 1) end, 1, L),
    Caught = [try risky(K) catch throw:T -> T; error:_ -> error end || K <- lists:seq(1, N)],
    self() ! {?MODULE, N},
    receive {?MODULE, M} -> erlang:phash2({M, L, B, Big, Caught, deep(N, fun() -> 1 end)}) end.

risky(K) when K rem 3 =:= 0 -> throw({thrown, K});
risky(K) when K rem 3 =:= 1 -> K;
risky(K) -> K + list_to_atom("x").
