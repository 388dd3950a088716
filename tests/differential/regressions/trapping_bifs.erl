%% BIFs that trap keep what they have done so far, some with garbage collection disabled: they must not be begun again.
-module(trapping_bifs).
-export([cases/0, lists_/1, binaries/1, maps_/1, numbers/1, tail_number/1, tail_subtract/2, tail_append/2, in_large_heap/2]).

cases() ->
    [{F, [N]} || F <- [lists_, binaries, maps_], N <- [1, 300, 9000]] ++
        [{F, [N]} || F <- [numbers, tail_number], N <- [100, 9000]] ++
        [{tail_subtract, [lists:seq(1, 9000), lists:seq(4, 9000, 7)]}, {tail_append, [lists:seq(1, 9000), [x]]}] ++
        [{in_large_heap, [F, 4500]} || F <- [lists_, binaries, maps_]] ++
        [{tail_subtract, [lists:seq(1, 9000), not_a_list]}, {tail_append, [lists:seq(1, 9000) ++ improper, x]}].

lists_(N) ->
    Long = lists:seq(1, N),
    Less = Long -- lists:seq(4, N, 7),
    More = Less ++ Long,
    Sum = lists:sum(More),
    {Sum, length(More), lists:reverse(More, [a]) =:= lists:reverse([a | More]), lists:member(N, Less),
     lists:keyfind(N, 1, lists:zip(Long, Long)), erlang:phash2(More), same_size(garbage(N))}.

binaries(N) ->
    Bytes = lists:append(lists:duplicate(N div 100 + 1, lists:seq(100, 199))),
    Binary = list_to_binary([Bytes, [Bytes | <<"end">>]]),
    Term = binary_to_term(term_to_binary({Bytes, Binary})),
    {byte_size(Binary), erlang:crc32(Binary), iolist_size([Bytes, Binary]), Term =:= {Bytes, Binary},
     length(binary_to_list(Binary)), length(binary:split(Binary, <<107>>, [global])), erlang:md5(Binary),
     same_size(garbage(N))}.

maps_(N) ->
    One = maps:from_list(lists:zip(lists:seq(1, N), lists:duplicate(N, a))),
    Other = maps:from_keys(lists:seq(N div 2, N + N div 2), b),
    Both = maps:merge(One, Other),
    {maps:size(Both), lists:sum(maps:keys(Both)), lists:usort(maps:values(Both)), same_size(garbage(N))}.

%% More digits than the process has time for are made on a dirty scheduler.
numbers(Bits) ->
    Number = -1 bsl Bits,
    erlang:bump_reductions(3950),
    List = integer_to_list(Number),
    erlang:bump_reductions(3950),
    Binary = integer_to_binary(Number),
    erlang:bump_reductions(3950),
    Letters = integer_to_list(Number, 36),
    {List, Binary =:= list_to_binary(List), Letters, list_to_integer(List) =:= Number,
     binary_to_integer(Binary) =:= Number, same_size(garbage(Bits))}.

tail_number(Bits) ->
    Number = 1 bsl Bits,
    erlang:bump_reductions(3950),
    integer_to_list(Number).

tail_subtract(A, B) ->
    A -- B.

tail_append(A, B) ->
    A ++ B.

in_large_heap(Function, N) ->
    Ballast = lists:seq(1, 100000),
    Result = ?MODULE:Function(N),
    {Result, length(Ballast)}.

%% More than fits into a heap that is not collected.
garbage(N) when N > 400 -> garbage(400);
garbage(0) -> [];
garbage(N) -> tl([[N, N, N], {N} | garbage(N - 1)]).

same_size(L) ->
    erlang:garbage_collect(),
    length(L).
