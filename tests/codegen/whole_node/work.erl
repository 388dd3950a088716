%% Real work for the modules of stdlib. run/0 gives what comes out, which tells of no process, time or node.
-module(work).
-export([run/0, json_text/0]).

run() ->
    [{Name, ordered(Work())} || {Name, Work} <- works()].

%% The order of keys in a map is another in each node.
ordered(Map) when is_map(Map) -> {map, [ordered(Pair) || Pair <- lists:sort(maps:to_list(Map))]};
ordered([Head | Tail]) -> [ordered(Head) | ordered(Tail)];
ordered(Tuple) when is_tuple(Tuple) -> list_to_tuple(ordered(tuple_to_list(Tuple)));
ordered(Term) -> Term.

works() ->
    [{lists, fun lists_work/0},
     {maps, fun maps_work/0},
     {string, fun string_work/0},
     {proplists, fun proplists_work/0},
     {orddict, fun orddict_work/0},
     {trees, fun trees_work/0},
     {sets, fun sets_work/0},
     {queue, fun queue_work/0},
     {io_lib, fun io_lib_work/0},
     {syntax, fun syntax_work/0},
     {servers, fun servers:run/0},
     {json, fun json_text/0}].

numbers(N) -> [(K * 7919) rem 10007 || K <- lists:seq(1, N)].

lists_work() ->
    L = numbers(3000),
    S = lists:sort(L),
    true = lists:usort(L) =:= ordsets:from_list(L),
    {_, Found} = lists:keyfind(77, 1, lists:zip(lists:seq(1, 3000), L)),
    {lists:sum(L), lists:nth(1500, S), lists:foldl(fun(X, A) -> X bxor A * 3 rem 1000003 end, 0, L), Found,
     erlang:phash2(lists:sort(fun(A, B) -> A rem 100 =< B rem 100 end, L)), lists:partition(fun(X) -> X > 10 end, [1, 20, 3, 40]),
     lists:flatten([[a, [b, [[]]], c], [[[d]]]]), lists:splitwith(fun is_atom/1, [a, b, 1, c]),
     (catch lists:nth(0, [a])), lists:mapfoldl(fun(X, A) -> {X * A, A + 1} end, 1, [5, 6, 7]), lists:keysort(2, [{a, 3}, {b, 1}, {c, 2}]),
     lists:merge([1, 4, 9], [2, 3, 10]), lists:concat([a, 1, "x", 2.5])}.

maps_work() ->
    M = maps:from_list([{K, integer_to_list(K)} || K <- numbers(500)]),
    M2 = maps:map(fun(K, V) -> {K, length(V)} end, maps:filter(fun(K, _) -> K rem 2 =:= 0 end, M)),
    G = maps:groups_from_list(fun(X) -> X rem 3 end, numbers(20)),
    {maps:size(M), maps:fold(fun(K, {K, L}, A) -> A + K * L end, 0, M2), G, maps:merge_with(fun(_, A, B) -> A + B end, #{a => 1, b => 2}, #{b => 3, c => 4}),
     lists:sort(maps:to_list(maps:with([1, 7919, 5831], M))), maps:update_with(x, fun(V) -> V + 1 end, 5, #{}), (catch maps:get(nope, #{}))}.

string_work() ->
    Text = "The quick brown  fox, jumps over; the lazy dog" ++ [16#e9, 16#1F600],
    {string:lexemes(Text, " ,;"), string:uppercase(Text), string:titlecase("straße"), string:find(Text, "lazy"), string:length(Text),
     string:split("a/b/c", "/", all), string:trim("  x y  "), string:pad("7", 3, leading, $0), string:replace("aXbXc", "X", "--", all),
     string:reverse("abc"), string:to_integer("42rest"), string:to_float("2.5e3x"), string:equal("Ä", "ä", true), string:tokens("a b", " "),
     unicode:characters_to_binary(Text), unicode:characters_to_nfc_list("e" ++ [16#301])}.

proplists_work() ->
    P = [{a, 1}, b, {c, [1, 2]}, {a, 2}],
    {proplists:get_value(a, P), proplists:get_all_values(a, P), proplists:get_bool(b, P), proplists:unfold(P), proplists:delete(a, P), proplists:to_map(P)}.

orddict_work() ->
    D = lists:foldl(fun(K, A) -> orddict:update_counter(K rem 10, K, A) end, orddict:new(), numbers(200)),
    E = dict:to_list(dict:map(fun(K, V) -> K + V end, dict:from_list(D))),
    {D, lists:sort(E), orddict:find(3, D), orddict:fold(fun(K, V, A) -> K * V + A end, 0, D)}.

trees_work() ->
    T = lists:foldl(fun(K, A) -> gb_trees:enter(K, K * 2, A) end, gb_trees:empty(), numbers(400)),
    U = lists:foldl(fun gb_trees:delete_any/2, T, lists:seq(1, 5000)),
    A = array:from_list(numbers(50)),
    {gb_trees:size(T), gb_trees:size(U), gb_trees:smallest(U), gb_trees:lookup(7919, T), gb_sets:to_list(gb_sets:intersection(gb_sets:from_list([1, 2, 3]), gb_sets:from_list([2, 3, 4]))),
     array:foldl(fun(_, undefined, S) -> S + 1; (I, X, S) -> I * X + S end, 0, array:set(70, 5, array:resize(60, A))), array:size(A)}.

sets_work() ->
    A = sets:from_list(numbers(100)),
    B = sets:from_list(lists:seq(1, 5000), [{version, 2}]),
    {sets:size(A), lists:sum(sets:to_list(sets:intersection(A, sets:from_list(lists:seq(1, 5000))))), sets:is_element(7, B), sets:size(sets:subtract(B, B)),
     sofs:to_external(sofs:domain(sofs:relation([{1, a}, {2, b}])))}.

queue_work() ->
    Q = lists:foldl(fun queue:in/2, queue:new(), lists:seq(1, 100)),
    {{value, 1}, Q2} = queue:out(Q),
    {queue:len(Q2), queue:to_list(queue:filter(fun(X) -> X rem 9 =:= 0 end, queue:reverse(Q2))), queue:peek_r(Q2), queue:is_empty(queue:new())}.

io_lib_work() ->
    Term = {atom, "string", <<"binary">>, <<1:3>>, [1, 2 | 3], #{k => [v]}, 1.0e100, -0.0, 1 bsl 100, 'odd atom', [lists:seq(1, 60)], fun lists:map/2},
    [unicode:characters_to_list(io_lib:format(Format, Arguments)) || {Format, Arguments} <-
        [{"~p~n~w~n", [Term, Term]}, {"~P ~W", [Term, 9, Term, 9]}, {"~20p|~-10s|~10s|~c~c", [Term, "left", "right", $x, 16#e9]},
         {"~ts ~tp", [[16#1F600], [16#e9]]}, {"~.3f ~e ~g ~.10g", [3.14159, 2.5, 1.0e20, 0.1]}, {"~b ~.16b ~16#  ~.36B", [42, 255, 255, 123456]},
         {"~*c|~i~5.2.0f|~~", [3, $z, ignored, 1.5]}]]
    ++ [io_lib:fread("~d ~s ~f", "42 word 2.5 rest"), (catch io_lib:format("~d", [x])), io_lib:printable_list("abc"), lists:flatten(io_lib:write_string("a\n\"b"))].

syntax_work() ->
    Source = "-module(m).\n-export([f/1]).\n%% comment\nf(X) when X > 1, is_integer(X) -> try g(X, [Y || Y <- lists:seq(1, X), Y rem 2 =:= 0]) catch _:E -> {E, <<X:16/little>>} after ok end;\n"
             "f(#{key := V} = M) -> M#{other => fun(A) -> A + V end}; f(\"s\" ++ R) -> {$c, 16#ff, 1.5e3, R}.\n",
    {ok, Tokens, _} = erl_scan:string(Source, {1, 1}),
    Forms = forms(Tokens, []),
    Value = fun(Text) ->
        {ok, T, _} = erl_scan:string(Text),
        {ok, E} = erl_parse:parse_exprs(T),
        {value, V, _} = erl_eval:exprs(E, []),
        V
    end,
    {erlang:phash2(Tokens), erlang:phash2(Forms), unicode:characters_to_list([erl_pp:form(F) || F <- Forms]), erl_scan:string("'unterminated"), (catch erl_parse:parse_exprs(element(2, erl_scan:string("1 + .")))),
     erl_lint:module(Forms), Value("F = fun(0) -> 1; (N) -> N * 2 end, [F(X) || X <- lists:seq(0, 5)]."), Value("case {1, 2} of {A, B} when A < B -> A + B end."),
     (catch Value("try throw(x) catch throw:Y -> {caught, Y} end."))}.

forms(Tokens, Forms) ->
    case lists:splitwith(fun(T) -> element(1, T) =/= dot end, Tokens) of
        {_, []} -> lists:reverse(Forms);
        {Before, [Dot | After]} ->
            {ok, Form} = erl_parse:parse_form(Before ++ [Dot]),
            forms(After, [Form | Forms])
    end.

%% JSON by hand, in both directions; OTP 27 has a module for it.
json_text() ->
    Text = <<"{\"a\": [1, 2.5, -3e2, \"x\\u00e9\\n\", true, false, null], \"nested\": {\"deep\": {\"deeper\": [[], {}]}}, \"big\": 123456789012345678901234567890}">>,
    {Value, <<>>} = value(Text),
    Again = iolist_to_binary(text(Value)),
    {Value, <<>>} = value(Again),
    {Value, Again, otp_json(Text, Value), (catch value(<<"[1, }">>))}.

otp_json(Text, Value) ->
    case code:ensure_loaded(json) of
        {module, json} -> {json:decode(Text) =:= Value, iolist_to_binary(json:encode(Value)) =/= <<>>};
        {error, _} -> {true, true}
    end.

value(<<C, Rest/binary>>) when C =:= $\s; C =:= $,; C =:= $:; C =:= $\n -> value(Rest);
value(<<"true", Rest/binary>>) -> {true, Rest};
value(<<"false", Rest/binary>>) -> {false, Rest};
value(<<"null", Rest/binary>>) -> {null, Rest};
value(<<$", Rest/binary>>) -> text_value(Rest, <<>>);
value(<<$[, Rest/binary>>) -> array_value(skip(Rest), []);
value(<<${, Rest/binary>>) -> object_value(skip(Rest), #{});
value(<<C, _/binary>> = Text) when C =:= $-; C >= $0, C =< $9 -> number_value(Text, 0).

skip(<<C, Rest/binary>>) when C =:= $\s; C =:= $,; C =:= $\n -> skip(Rest);
skip(Rest) -> Rest.

array_value(<<$], Rest/binary>>, Values) -> {lists:reverse(Values), Rest};
array_value(Text, Values) ->
    {Value, Rest} = value(Text),
    array_value(skip(Rest), [Value | Values]).

object_value(<<$}, Rest/binary>>, Values) -> {Values, Rest};
object_value(<<$", Text/binary>>, Values) ->
    {Key, Middle} = text_value(Text, <<>>),
    {Value, Rest} = value(Middle),
    object_value(skip(Rest), Values#{Key => Value}).

text_value(<<$", Rest/binary>>, Text) -> {Text, Rest};
text_value(<<"\\u", Hex:4/binary, Rest/binary>>, Text) -> text_value(Rest, <<Text/binary, (binary_to_integer(Hex, 16))/utf8>>);
text_value(<<"\\n", Rest/binary>>, Text) -> text_value(Rest, <<Text/binary, $\n>>);
text_value(<<C/utf8, Rest/binary>>, Text) -> text_value(Rest, <<Text/binary, C/utf8>>).

number_value(Text, N) ->
    case Text of
        <<_:N/binary, C, _/binary>> when C >= $0, C =< $9; C =:= $.; C =:= $-; C =:= $+; C =:= $e -> number_value(Text, N + 1);
        <<Number:N/binary, Rest/binary>> -> {number(binary_to_list(Number)), Rest}
    end.

number(Digits) ->
    case {lists:member($., Digits), lists:splitwith(fun(C) -> C =/= $e end, Digits)} of
        {true, _} -> list_to_float(Digits);
        {false, {_, []}} -> list_to_integer(Digits);
        {false, {Mantissa, Exponent}} -> list_to_float(Mantissa ++ ".0" ++ Exponent)
    end.

text(Value) when is_map(Value) -> [${, lists:join($,, [[text(K), $:, text(V)] || {K, V} <- lists:sort(maps:to_list(Value))]), $}];
text(Value) when is_list(Value) -> [$[, lists:join($,, [text(V) || V <- Value]), $]];
text(Value) when is_binary(Value) -> [$", [escaped(C) || <<C/utf8>> <= Value], $"];
text(Value) when is_integer(Value) -> integer_to_binary(Value);
text(Value) when is_float(Value) -> float_to_binary(Value, [{decimals, 4}, compact]);
text(Value) when is_atom(Value) -> atom_to_binary(Value).

escaped($\n) -> "\\n";
escaped(C) -> <<C/utf8>>.
