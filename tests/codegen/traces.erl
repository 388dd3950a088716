%% Stack traces of functions that call themselves in their bodies, after the interpreter has done something for them.
%% The VM leaves out of a trace what has the same return address as the frame before it.
-module(traces).
-export([run/0, fail/0, caller/1, above/1]).

run() ->
    Texts = ["1", "x", "2", "3", "x", "4", "x"],
    Long = lists:seq(1, 5000),
    [[caught(Results) || Results <- [above(Texts), in_a_variable(Texts), by_try(Texts), thrown(Texts), deep(7)]],
     [failing(Work) || Work <- [fun() -> bifs(9) end, fun() -> long_lists(9, Long) end,
                                fun() -> long_lists_kept(9, Long) end, fun() -> received(9) end]]].

%% Functions and lines of this module.
places(Trace) ->
    [{Name, proplists:get_value(line, Where)} || {?MODULE, Name, _, Where} <- Trace].

caught(Results) ->
    [case Result of {'EXIT', {Reason, Trace}} -> {Reason, places(Trace)}; _ -> Result end || Result <- Results].

failing(Work) ->
    try Work() catch error:Reason:Trace -> {Reason, places(Trace)} end.

%%% Exceptions that are caught

above(Texts) ->
    Results = caller(Texts),
    [above | Results].

caller(Texts) ->
    [catch list_to_integer(Text) || Text <- Texts].

in_a_variable([]) -> [];
in_a_variable([Text | Texts]) ->
    X = (catch list_to_integer(Text)),
    [X | in_a_variable(Texts)].

by_try([]) -> [];
by_try([Text | Texts]) ->
    X = try list_to_integer(Text) catch _:Reason:Trace -> {'EXIT', {Reason, Trace}} end,
    [X | by_try(Texts)].

thrown([]) -> [];
thrown([Text | Texts]) ->
    X = (catch throws(Text)),
    Y = (catch lists:nth(9, Text)),
    Results = thrown(Texts),
    [X, Y | Results].

throws("x") -> throw(found);
throws("2") -> exit(found);
throws(Text) -> list_to_integer(Text ++ "y").

deep(0) -> [];
deep(N) ->
    X = (catch deeper(N)),
    [X | deep(N - 1)].

deeper(0) -> ?MODULE:fail();
deeper(N) ->
    Y = deeper(N - 1),
    {Y}.

fail() ->
    error(failed).

%%% BIFs that native code leaves to the interpreter now and then

bifs(0) -> ?MODULE:fail();
bifs(N) ->
    N rem 2 =:= 0 andalso erlang:bump_reductions(4000),
    Text = integer_to_list(N),
    Other = atom_to_list(N rem 2 =:= 0),
    Rest = bifs(N - 1),
    [Text, Other | Rest].

long_lists(0, _) -> ?MODULE:fail();
long_lists(N, List) ->
    Length = if N rem 2 =:= 0 -> length(List); true -> 1 end,
    Rest = long_lists(N - 1, List),
    [Length | Rest].

%% What is in registers of the CPU meanwhile is still there.
long_lists_kept(0, _) -> ?MODULE:fail();
long_lists_kept(N, List) ->
    Twice = N * 2,
    Pair = {N, Twice},
    Length = if N rem 3 =:= 0 -> length(List) + Twice; true -> Twice end,
    true = Length =:= Twice orelse Length =:= 5000 + 2 * N,
    Rest = long_lists_kept(N - 1, List),
    {Length, Pair, Twice, Rest}.

received(0) -> ?MODULE:fail();
received(N) ->
    N rem 2 =:= 0 andalso self() ! {hello, N},
    Got = receive {hello, M} -> M after 0 -> none end,
    Rest = received(N - 1),
    [Got | Rest].
