%% ETS tables of all kinds, and what the node itself says of them.
-module(tables).
-export([start/0]).

%% Make them, and print a line for each thing that is known of each: "table NAME KEY VALUE".
start() ->
    Self = self(),
    Owner = spawn(fun() -> make(), Self ! made, receive never -> ok end end),
    receive made -> ok end,
    [tell(Name) || Name <- ets:all(), ets:info(Name, owner) =:= Owner, ets:info(Name, name) =/= scattered],
    ok.

make() ->
    Few = [{N, {value, N}, <<"binary">>, [N, N + 1]} || N <- lists:seq(1, 20)],
    Kinds =
        [{t_set, [set, named_table, protected]},
         {t_private, [set, named_table, private]},
         {t_bag, [bag, named_table, public]},
         {t_duplicates, [duplicate_bag, named_table, public]},
         {t_ordered, [ordered_set, named_table, public]},
         {t_catree, [ordered_set, named_table, public, {write_concurrency, true}]},
         {t_concurrent, [set, named_table, public, {write_concurrency, true}, {read_concurrency, true}]},
         {t_decentralized, [set, named_table, public, {write_concurrency, true}, {decentralized_counters, true}]},
         {t_second_key, [set, named_table, public, {keypos, 2}]},
         {'a table', [set, public]}],
    [begin Table = ets:new(Name, Options), ets:insert(Table, Few), ets:insert(Table, Few) end || {Name, Options} <- Kinds],
    [ets:insert(Table, {1, another}) || Table <- [t_bag, t_duplicates]],
    %% Enough that their counters lie all over a carrier of the allocator.
    [ets:insert(ets:new(scattered, [public, {write_concurrency, true}, {decentralized_counters, true}]), {N})
     || N <- lists:seq(1, 200)],
    ets:new(t_empty, [named_table]),
    ets:new(t_compressed, [named_table, public, compressed]),
    ets:insert(t_compressed, [{{key, N}, N, [N], atom, <<"text">>} || N <- lists:seq(1, 10)]),
    Packed = packed(),
    [ets:insert(ets:new(Name, [named_table, public, compressed, {keypos, 2} | Options]),
                [{Term, {key, N}, Term} || {N, Term} <- lists:enumerate(Packed)] ++ [list_to_tuple([all, 0 | Packed])])
     || {Name, Options} <- [{t_packed, []}, {t_packed_ordered, [ordered_set]},
                            {t_packed_catree, [ordered_set, {write_concurrency, true}]}]],
    shapes(),
    [ets:insert(ets:new(Name, [named_table, public | Options]), [{N, -N} || N <- lists:seq(1, 5000)])
     || {Name, Options} <- [{t_large, []}, {t_large_ordered, [ordered_set]},
                            {t_large_catree, [ordered_set, {write_concurrency, true}]}]],
    %% A table that has been larger, and one in which deleted objects stay because it is fixed.
    ets:new(t_shrunk, [named_table, public]),
    ets:insert(t_shrunk, [{N, N} || N <- lists:seq(1, 9000)]),
    [ets:delete(t_shrunk, N) || N <- lists:seq(1, 9000), N rem 9 =/= 0],
    ets:new(t_fixed, [named_table, public]),
    ets:insert(t_fixed, [{N, N} || N <- lists:seq(1, 50)]),
    ets:safe_fixtable(t_fixed, true),
    [ets:delete(t_fixed, N) || N <- lists:seq(1, 50, 2)].

%% Terms that are in compressed tables and nowhere else, for who has made them is gone.
shapes() ->
    [ets:new(Name, [named_table, public, compressed | Options])
     || {Name, Options} <- [{t_shapes, []}, {t_shapes_ordered, [ordered_set]}]],
    {_, Monitor} = spawn_monitor(fun() ->
        Objects = [{{packed_id, N}, {packed_shape, N, N + 0.5}, [N, (1 bsl 70) + N, [inside_packed]],
                    #{packed_key => N, "other" => {N}}, fun() -> N end, in_object, self()} || N <- lists:seq(1, 50)],
        [ets:insert(Table, Objects) || Table <- [t_shapes, t_shapes_ordered]]
    end),
    receive {'DOWN', Monitor, process, _, normal} -> ok end.

%% Terms of all kinds that are packed in compressed tables, but for external funs: OTP 27 itself reads those wrongly, and
%% may crash then.
packed() ->
    Outside = list_to_binary(lists:seq(1, 100)),
    <<_:3, Bits:190/bitstring, _/bitstring>> = Outside,
    Free = {free, "variable"},
    [0, -1, 255, 256, -(1 bsl 31), 1 bsl 27, 1 bsl 31, 1 bsl 59, -(1 bsl 59) - 1, 1 bsl 64, -(1 bsl 1000), 1 bsl 1500,
     0.5, -1.0e300, [], "text", [1, 2, 3], lists:seq(16#110000, 16#110005), [a | b], [{nested, [deep, "er"]}, 1.5], {}, {{}, {1}},
     list_to_tuple(lists:seq(1, 30)), #{}, #{a => 1, b => {2, "two"}}, <<>>, <<"few">>, <<5:3>>, <<"few", 5:3>>, Outside,
     binary:part(Outside, 20, 70), Bits, self(), make_ref(), atomics:new(1, []), erlang:alias(), hd(erlang:ports()),
     fun(X) -> {X, Free} end, fun packed/0, true, 'an atom',
     binary_to_term(<<131, 88, 100, 0, 5, "a@b.c", 7:32, 3:32, 2:32>>),
     binary_to_term(<<131, 90, 3:16, 100, 0, 5, "a@b.c", 2:32, 1:32, 2:32, 3:32>>),
     binary_to_term(<<131, 89, 100, 0, 5, "a@b.c", 7:32, 2:32>>)].

tell(Table) ->
    Id = ets:info(Table, id),
    [io:format("table ~p ~s ~0p~n", [Id, Key, ets:info(Table, Key)])
     || Key <- [name, type, protection, size, memory, owner, compressed]],
    Objects = try ets:tab2list(Table) catch error:badarg -> private end,
    case is_list(Objects) andalso length(Objects) < 100 of
        true -> [io:format("table ~p object ~0p~n", [Id, Object]) || Object <- Objects];
        false -> ok
    end.
