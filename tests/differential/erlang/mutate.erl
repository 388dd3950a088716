%% Valid assembly that the compiler does not make: a module's code with operands, operations and their order changed.
%%
%% Only what beam_validator accepts stays, so that it must run. Types are not kept: the validator believes what is told
%% of them, and after a change elsewhere it may be a lie. Jumps go forwards only, since one that goes backwards may be
%% a loop without reductions, which no VM can end.
-module(mutate).
-export([mutate/2]).

-define(TRIES, 150).

%% Assembly (what compile:file/2 gives for 'S') with changes by a seed.
mutate({Module, Exports, Attributes, Functions, Labels}, Seed) ->
    rand:seed(exsss, Seed),
    Bare = {Module, Exports, Attributes, [bare(F) || F <- Functions], Labels},
    changed(?TRIES, Bare).

bare({tr, Register, _}) -> Register;
bare({literal, _} = Literal) -> Literal;
bare(T) when is_tuple(T) -> list_to_tuple(bare(tuple_to_list(T)));
bare([H | T]) -> [bare(H) | bare(T)];
bare(T) -> T.

changed(0, Code) ->
    Code;
changed(N, {Module, Exports, Attributes, Functions, Labels} = Code) ->
    Places = [At || {At, {function, Name, _, _, _}} <- lists:enumerate(Functions),
                    Name =/= cases, Name =/= module_info],
    At = any(Places),
    {Before, [{function, Name, Arity, Entry, Body} | After]} = lists:split(At - 1, Functions),
    Changed = {function, Name, Arity, Entry, change(Body)},
    Other = {Module, Exports, Attributes, Before ++ [Changed | After], Labels},
    try Other =/= Code andalso has_end(Changed) andalso names_arguments(Changed)
        andalso beam_validator:validate(Other, strong) of
        ok -> changed(N - 1, Other);
        _ -> changed(N - 1, Code)
    catch
        _:_ -> changed(N - 1, Code)
    end.

%% The validator does not look whether control runs into the next function,
has_end({function, _, _, _, Body}) ->
    lists:member(element(1, last(Body)),
                 [return, call_only, call_last, call_ext_only, call_ext_last, apply_last, jump, select_val,
                  select_tuple_arity, badmatch, case_end, if_end, try_case_end, badrecord, loop_rec_end, wait]).

last(Body) -> case lists:last(Body) of T when is_tuple(T) -> T; A -> {A} end.

%% and not whether the arguments that a function_clause tells of are still there.
names_arguments({function, _, Arity, _, Body}) ->
    {Head, _} = lists:splitwith(fun(I) -> element(1, I) =/= func_info end, Body),
    [{label, Clause} | _] = [I || {label, _} = I <- lists:reverse(Head)],
    Behind = lists:dropwhile(fun(I) -> not forgets(I, Arity) end, Body),
    not mentions({f, Clause}, Behind).

forgets({gc_bif, _, _, Live, _, _}, Arity) -> Live < Arity;
forgets({test_heap, _, Live}, Arity) -> Live < Arity;
forgets({allocate, _, Live}, Arity) -> Live < Arity;
forgets(I, _) when is_tuple(I) ->
    Name = atom_to_list(element(1, I)),
    lists:any(fun(Prefix) -> lists:prefix(Prefix, Name) end,
              ["call", "apply", "send", "bs_", "put_map", "wait", "make_fun", "loop_rec", "try", "catch",
               "allocate", "update"]);
forgets(return, _) -> false;
forgets(_, _) -> true.

mentions(T, T) -> true;
mentions(T, L) when is_list(L) -> lists:any(fun(E) -> mentions(T, E) end, L);
mentions(T, L) when is_tuple(L) -> mentions(T, tuple_to_list(L));
mentions(_, _) -> false.

any(List) -> lists:nth(rand:uniform(length(List)), List).

%% What stands before the entry is left alone.
change(Body) ->
    {Head, [Info | Code]} = lists:splitwith(fun(I) -> element(1, I) =/= func_info end, Body),
    [Entry | Rest] = Code,
    {Before, [One | After]} = lists:split(rand:uniform(length(Rest)) - 1, Rest),
    Later = [L || {label, L} <- After],
    Head ++ [Info, Entry | Before ++ other(rand:uniform(10), One, After, Later)].

other(1, One, [Next | After], _) when element(1, One) =/= label, element(1, Next) =/= label -> [Next, One | After];
other(2, One, [_ | _] = After, _) when element(1, One) =/= label -> After;
other(3, One, After, _) when element(1, One) =/= label -> [One, One | After];
other(4, {gc_bif, Name, Fail, Live, Args, To}, After, _) ->
    Names = case Args of
        [_, _] -> ['+', '-', '*', 'div', 'rem', 'band', 'bor', 'bxor', 'bsl', 'bsr'];
        _ -> [Name, 'bnot', '-', abs, length, trunc]
    end,
    [{gc_bif, any(Names), Fail, Live + rand:uniform(2) - 1, Args, To} | After];
other(4, {test, Name, Fail, [A, B]}, After, _) ->
    Names = [is_lt, is_ge, is_eq, is_ne, is_eq_exact, is_ne_exact],
    [{test, case lists:member(Name, Names) of true -> any(Names); false -> Name end, Fail, [A, B]} | After];
other(4, {test, _, Fail, [A]}, After, _) ->
    Names = [is_atom, is_integer, is_float, is_number, is_list, is_nonempty_list, is_nil, is_tuple, is_map, is_binary,
             is_bitstr, is_boolean, is_function, is_pid, is_port, is_reference],
    [{test, any(Names), Fail, [A]} | After];
other(_, One, After, _) when not is_tuple(One); element(1, One) =:= label; element(1, One) =:= line ->
    [One | After];
other(_, One, After, _) when element(1, One) =:= '%' -> [One | After];
other(_, One, After, Later) ->
    case sites(One, element(1, One), Later) of
        0 -> [One | After];
        Sites ->
            {New, _} = put_at(One, rand:uniform(Sites), element(1, One), Later),
            [New | After]
    end.

%% How many operands of a term can be others.
sites(T, Name, Later) -> {_, N} = put_at(T, -1, Name, Later), -N - 1.

%% The term with another operand at a place, counted down to 0.
put_at(T, N, Name, Later) ->
    case T of
        {x, _} -> site(T, N, fun register/0);
        {y, _} -> site(T, N, fun register/0);
        {fr, _} -> site(T, N, fun() -> {fr, rand:uniform(3) - 1} end);
        {f, _} when Later =:= []; Name =:= call; Name =:= call_only; Name =:= call_last; Name =:= make_fun3 -> {T, N};
        {f, _} -> site(T, N, fun() -> {f, any(Later)} end);
        {literal, _} when Name =:= bs_match -> {T, N};
        {atom, _} when Name =:= bs_create_bin -> {T, N}; % the type of a segment
        {field_flags, _} -> site(T, N, fun() -> {field_flags, any([[], [little], [signed], [little, signed]])} end);
        {Kind, _} when Kind =:= literal; Kind =:= integer; Kind =:= atom; Kind =:= float -> site(T, N, fun operand/0);
        nil when Name =/= bs_match -> site(T, N, fun operand/0);
        {extfunc, _, _, _} -> {T, N};
        _ when is_tuple(T) -> {L, M} = put_at(tuple_to_list(T), N, Name, Later), {list_to_tuple(L), M};
        [H | Rest] ->
            {H2, M} = put_at(H, N, Name, Later),
            {Rest2, M2} = put_at(Rest, M, Name, Later),
            {[H2 | Rest2], M2};
        _ -> {T, N}
    end.

site(_, 1, New) -> {New(), 0};
site(T, N, _) -> {T, N - 1}.

register() ->
    case rand:uniform(4) of
        1 -> {y, rand:uniform(4) - 1};
        _ -> {x, rand:uniform(6) - 1}
    end.

operand() ->
    case rand:uniform(3) of
        1 -> register();
        _ -> any([{integer, 0}, {integer, -1}, {integer, 7}, {integer, 134217727}, {integer, 134217728},
                  {integer, -134217728}, {integer, -134217729}, {integer, 1 bsl 32}, {integer, 1 bsl 64},
                  {integer, -(1 bsl 63)}, {atom, a}, {atom, true}, {atom, false}, nil,
                  {literal, [1, 2 | c]}, {literal, {a, 2.5, <<"bin">>}}, {literal, #{a => 1}}, {literal, <<5:3>>},
                  {float, 1.5}, {float, -0.0},
                  {literal, fun lists:map/2}, {literal, "abc"}, {literal, {}}, {atom, undefined}, {integer, 3}, {integer, 8},
                  {integer, 16}])
    end.
