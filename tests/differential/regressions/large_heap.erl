%% A heap of more than 128 Kwords is collected by a dirty scheduler: native code that leaves then must be found again.
-module(large_heap).
-export([cases/0, large/2, maps/3, sums/2, guards/2]).

cases() ->
    [{large, [maps, [40, 3, #{}]]}, {large, [sums, [30, 4500]]}, {large, [guards, [300, {a, [1, 2]}]]}].

large(Function, Arguments) ->
    Ballast = lists:seq(1, 100000),
    Result = apply(?MODULE, Function, Arguments),
    {Result, length(Ballast)}.

maps(0, X, Map) ->
    {X, maps:size(Map), map_get(nowhere, Map)};
maps(N, X, Map) ->
    maps(N - 1, X * X band 16#ffffffffff, Map#{{N, X} => #{N => [X]}}).

sums(0, _) ->
    [];
sums(N, Size) ->
    [N band lists:sum([N | lists:seq(1, Size) -- lists:seq(5, Size, 7)]) | sums(N - 1, Size)].

guards(0, _) ->
    [];
guards(N, T) when element(2, T) =:= [N]; N * 1000000000 * N > N, length(element(2, T)) + N > 5 bsl 40 ->
    [T | guards(N - 1, T)];
guards(N, T) ->
    [{N, N bsl 40, catch element(N + 3, T)} | guards(N - 1, T)].
