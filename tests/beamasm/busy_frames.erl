%% Work of many kinds, for single-stepping: frames with y registers, funs, maps, binaries, exceptions, messages, BIFs, GC.
-module(busy_frames).
-export([start/0, round/3]).

start() ->
    Echo = spawn_link(fun() -> echo(0) end),
    spawn_link(fun() -> loop(Echo, 0) end),
    ok.

loop(Echo, N) ->
    _ = round(Echo, N, [N, a, {b, N}]),
    loop(Echo, N + 1).

echo(Count) ->
    receive
        {From, Reference, What} when What rem 3 =:= 0 -> From ! {Reference, {third, What, Count}}, echo(Count + 1);
        {From, Reference, What} -> From ! {Reference, What}, echo(Count)
    after 50 ->
        echo(Count)
    end.

round(Echo, N, Rest) ->
    List = lists:map(fun(X) -> X * N + length(Rest) end, lists:seq(1, 5)),
    Sum = lists:foldl(fun(X, Acc) -> Acc + X end, 0, List),
    Asked = ask(Echo, N, Sum),
    Caught = [guarded(fun fails/1, K, N) || K <- [1, 2, 3, 4]],
    Map = build(#{}, N rem 5, Caught),
    Binary = pack(List, N, <<>>),
    Unpacked = unpack(Binary, []),
    Text = io_lib:format("~p ~s ~w", [Map, "abc", Asked]),
    Tree = gb_trees:from_orddict([{I, {I, N}} || I <- [1, 2, 3]]),
    {N, Sum, picked(N rem 12, Rest), big(N, 3), lists:flatten(Text), gb_trees:to_list(Tree), Unpacked,
     maps:fold(fun(K, V, Acc) -> [{K, V} | Acc] end, [], Map), old_catch(N), float_work(float(N), 3),
     binary_to_term(term_to_binary({N, Map})), lists:sort(fun(A, B) -> A >= B end, List)}.

ask(Echo, N, Sum) ->
    Reference = make_ref(),
    Echo ! {self(), Reference, N},
    receive
        {Reference, Answer} -> {Answer, Sum}
    after 1000 ->
        timeout
    end.

guarded(Fun, K, N) ->
    try Fun(K) of
        ok -> {fine, K, N};
        Other -> {Other, K, N}
    catch
        throw:Thrown -> {thrown, Thrown, K, N};
        error:Reason:Stack -> {error, Reason, length(Stack), K, N}
    after
        put(last, {K, N})
    end.

fails(1) -> ok;
fails(2) -> throw({two, self()});
fails(3) -> element(7, {too, short});
fails(K) -> hd(atom_to_list(list_to_atom([K + 90]))).

old_catch(N) ->
    First = catch nothing_there:at_all(N),
    Second = catch exit({N, First}),
    {element(1, Second), N}.

build(Map, 0, Values) -> Map#{last => Values};
build(Map, N, Values) ->
    New = Map#{N => {N, Values}, {key, N} => [N | Values]},
    case New of
        #{3 := {Three, _}} -> build(New#{3 := Three}, N - 1, Values);
        _ -> build(New, N - 1, Values)
    end.

pack([], _, Binary) -> Binary;
pack([H | T], N, Binary) -> pack(T, N, <<Binary/binary, H:32/big, (N band 255):8, (H rem 7):3, 0:5>>).

unpack(<<A:32, B:8, C:3, _:5, Rest/binary>>, Acc) -> unpack(Rest, [{A, B, C} | Acc]);
unpack(<<>>, Acc) -> lists:reverse(Acc).

picked(0, R) -> {zero, R};
picked(1, R) -> [one | R];
picked(2, R) -> length(R);
picked(3, _) -> three;
picked(4, R) -> lists:reverse(R);
picked(5, R) -> {five, hd(R)};
picked(6, _) -> six;
picked(7, R) -> {R, seven};
picked(8, _) -> 8.0;
picked(9, R) -> tl(R);
picked(10, R) -> {ten, R, R};
picked(N, R) -> {N, R}.

big(N, 0) -> N;
big(N, K) ->
    Filler = lists:seq(1, 40 + K),
    Square = (N + 1 bsl 60) * (N + K),
    [Square, erlang:phash2(Filler) | big(N, K - 1)].

float_work(F, 0) -> F;
float_work(F, K) -> float_work(F * 1.5 + K / 3, K - 1).
