%% Processes that have had exceptions, and what Erlang says of each: a line "raised PID KEY VALUE" for each thing.
-module(raising).
-export([start/0, keep/3, guard/4, dies/2]).

start() ->
    [begin
         Pid = spawn(?MODULE, keep, [self(), Kind, State]),
         receive {Pid, ready} -> ok end,
         steady(Pid)
     end || State <- [handled, caught, over], Kind <- [badarith, badmatch, function_clause, own, throw, exit]],
    [begin
         Pid = spawn(?MODULE, guard, [self(), Failing, x, #{}]),
         receive {Pid, Matches} -> io:format("guarded ~p ~p ~p~n", [Pid, Failing, Matches]) end,
         steady(Pid)
     end || Failing <- [arithmetic, key]],
    ok.

%% What fails in a guard is no exception.
guard(Parent, Failing, What, Map) ->
    Parent ! {self(), guarded(Failing, What, Map)},
    receive never -> ok end.

guarded(arithmetic, What, _) when What + 1 > 3 -> true;
guarded(key, What, Map) when map_get(What, Map) =:= 3 -> true;
guarded(_, _, _) -> false.

steady(Pid) ->
    case process_info(Pid, status) of
        {status, waiting} -> ok;
        _ -> erlang:yield(), steady(Pid)
    end.

%% What Erlang says of an exception that is just like the one that is kept then.
keep(Parent, Kind, State) ->
    try once(Kind, fun() -> ok end) catch Class:Reason:Stack -> tell(Kind, State, Class, Reason, Stack) end,
    erlang:garbage_collect(),
    Ready = fun() -> Parent ! {self(), ready} end,
    stay(Kind, State, Ready).

stay(Kind, handled, Ready) ->
    once(Kind, fun() -> Ready(), receive never -> ok end end);
stay(Kind, caught, Ready) ->
    catch once(Kind, fun() -> ok end),
    Ready(),
    receive never -> ok end;
stay(Kind, over, Ready) ->
    catch once(Kind, fun() -> ok end),
    erlang:garbage_collect(),
    Ready(),
    receive never -> ok end.

once(Kind, Then) ->
    try
        fail(Kind, {an, argument})
    after
        Then()
    end.

%% As soon as there is a file, it fails where nobody catches that.
dies(File, Kind) ->
    troubles:await(File),
    {fail(Kind, {an, argument}), not_reached}.

fail(badarith, Argument) -> Argument + 1;
fail(badmatch, Argument) -> [] = Argument;
fail(function_clause, Argument) -> only_lists(Argument, 2);
fail(own, Argument) -> error(Argument);
fail(throw, Argument) -> throw(Argument);
fail(exit, Argument) -> exit(Argument).

only_lists([], 1) -> ok.

tell(Kind, State, Class, Reason, Stack) ->
    print(kind, Kind),
    print(state, State),
    print(class, Class),
    print(reason, Reason),
    [print(function, {M, F, if is_list(A) -> length(A); true -> A end}) || {M, F, A, _} <- Stack, M =:= ?MODULE, F =/= keep],
    [print(arguments, A) || {_, _, A, _} <- Stack, is_list(A)].

print(function, {M, F, A}) ->
    io:format("raised ~p function ~p:~p/~p~n", [self(), M, F, A]);
print(Key, Value) ->
    io:format("raised ~p ~s ~0p~n", [self(), Key, Value]).
