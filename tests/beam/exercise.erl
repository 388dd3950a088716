%% Work for rewritten modules to do: what run/0 tells must be the same as with the modules as they were.
-module(exercise).
-export([run/0, kinds/1, fails/1, sum/1]).

run() ->
    Numbers = [N * 7919 rem 101 || N <- lists:seq(1, 200)],
    Tree = lists:foldl(fun(N, T) -> gb_trees:enter(N, integer_to_list(N), T) end, gb_trees:empty(), Numbers),
    {ok, Tokens, _} = erl_scan:string("f(X, 'Y') -> \"a\\n\" ++ X#r{a = 1.5e10}, $a, 16#ff."),
    [lists:sort(Numbers), lists:usort(Numbers), lists:keysort(2, [{N, -N} || N <- Numbers]), gb_trees:to_list(Tree),
     maps:to_list(maps:from_list([{N, {N}} || N <- lists:seq(1, 50)])), base64:encode(<<"some bytes", 0, 255>>),
     base64:decode(base64:encode(list_to_binary(Numbers))), Tokens,
     lists:flatten(io_lib:format("~p ~w ~10.3f ~s ~-5w| ~80p", [Numbers, Tree, math:pi(), "abc", x, Tokens])),
     [kinds(Term) || Term <- [1, 1 bsl 70, -1.5, a, <<1, 2>>, <<3:3>>, [], [1 | 2], {}, #{a => 1}, fun lists:map/2]],
     [catch fails(How) || How <- [badarg, function_clause, throw, match, arith]], sum(lists:seq(1, 100)), server(),
     [try lists:nth(N, [a]) catch error:Why:Stack -> {Why, Stack} end || N <- [0, 1, 2, x]]].

kinds(X) when is_integer(X), X > 1 bsl 64 -> {big, X};
kinds(X) when is_integer(X) -> {integer, X};
kinds(X) when is_float(X) -> {float, X * 2.0 + 0.5};
kinds(<<A:3>>) -> {bits, A};
kinds(<<A, Rest/binary>>) -> {binary, A, <<Rest/binary, A:16/little, "tail">>};
kinds(#{a := A} = Map) -> {map, A, Map#{a := 2, b => [1, 2, 3]}};
kinds(X) when is_function(X, 2) -> {function, X(fun(Y) -> {Y, X =:= Y} end, [1])};
kinds(X) -> {other, X}.

fails(badarg) -> atom_to_list(1);
fails(throw) -> throw({thrown, [a, "literal", #{1 => 2}]});
fails(match) -> {a, b} = {list_to_atom("a"), c};
fails(arith) -> 1 / list_to_integer("0").

sum(List) -> sum(List, 0).

sum([N | Rest], Sum) -> sum(Rest, Sum + N);
sum([], Sum) -> Sum.

server() ->
    Server = spawn(fun loop/0),
    Call = fun(What) -> Server ! {self(), What}, receive {answer, Answer} -> Answer after 5000 -> timeout end end,
    [Call(What) || What <- [1, two, "three", stop]].

loop() ->
    receive
        {From, stop} -> From ! {answer, stopped};
        {From, What} -> From ! {answer, {got, What}}, loop()
    end.
