%% A module that loads NIFs, in all ways in which that is called.
-module(replaced).
-ifdef(DECLARED).
-nifs([plus/2, plus_dirty/2]).
-endif.
-export([in_body/1, last/1, only/1, calls/0, plus/2]).

in_body(File) ->
    case erlang:load_nif(File, 0) of
        ok -> calls();
        {error, {Why, _}} -> Why
    end.

last(File) ->
    Name = unicode:characters_to_list(File),
    erlang:load_nif(Name, 0).

only(File) -> erlang:load_nif(File, 0).

%% Each is called by native code, if there is some.
calls() -> {plus(1, 2), sum(3, 0), plus_dirty(2, 2), (fun plus/2)(3, 4), ?MODULE:plus(5, 6), failing()}.

plus(X, Y) -> {erlang, X + Y}.

plus_dirty(X, Y) -> {erlang, X + Y}.

sum(0, Sum) -> Sum;
sum(N, Sum) ->
    {_, Next} = plus(N, Sum),
    sum(N - 1, Next).

failing() ->
    try plus(a, 1)
    catch error:Reason:Trace -> {Reason, [{Name, Arguments} || {_, Name, Arguments, _} <- lists:sublist(Trace, 3)]}
    end.
