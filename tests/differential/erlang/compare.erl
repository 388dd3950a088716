%% Runs modules interpreted and native in the same node, and tells of differences.
%%
%% Terms {Module, Plain, Native, Loaded} come in on standard input: paths of .beam files, and how many of them have
%% native code. For each there is an answer of some lines, of which the last is "end". A module's cases() gives functions
%% and their arguments. Every case has a process of its own.
-module(compare).
-export([start/1]).

-define(HEAP, 4000000). % words

%% Patience: milliseconds for one case, interpreted.
start([Patience]) ->
    logger:set_primary_config(level, none),
    erlang:system_flag(backtrace_depth, 24),
    loop(list_to_integer(atom_to_list(Patience))).

loop(Patience) ->
    case io:read("") of
        {ok, {Module, Plain, Native, HasCode}} ->
            answer(Module, Plain, Native, HasCode, Patience),
            io:format("end~n"),
            loop(Patience);
        eof ->
            halt()
    end.

answer(Module, Plain, Native, HasCode, Patience) ->
    load(Module, Plain),
    Interpreted = results(Module, Patience),
    unload(Module),
    case lists:last([none | Interpreted]) of
        Unfinished when Unfinished =:= late; Unfinished =:= stopped ->
            io:format("skipped~n");
        _ ->
            io:format("native~n"), % what comes last before a crash
            Before = native:loaded(),
            load(Module, Native),
            [io:format("not_native~n") || HasCode, native:loaded() =/= Before + 1],
            compare(Module:cases(), Interpreted, results(Module, 10 * Patience)),
            unload(Module)
    end.

load(Module, Path) ->
    {module, Module} = code:load_abs(filename:rootname(Path)).

unload(Module) ->
    code:delete(Module),
    code:purge(Module).

compare(_, _, [late]) ->
    io:format("late~n");
compare([Case | Cases], [One | Interpreted], [Other | Native]) ->
    case term_to_binary(One) =:= term_to_binary(Other) of
        true -> io:format("case ~w~n", [if element(1, One) =:= value -> value; true -> exception end]);
        false -> io:format("differs ~w~n  interpreted ~0tp~n  native      ~0tp~n", [Case, One, Other])
    end,
    compare(Cases, Interpreted, Native);
compare(_, _, _) ->
    ok.

results(Module, Patience) ->
    results(Module, Module:cases(), Patience).

%% Up to the first that takes too long, or too much memory.
results(Module, [Case | Cases], Patience) ->
    case result(Module, Case, Patience) of
        Unfinished when Unfinished =:= late; Unfinished =:= stopped -> [Unfinished];
        Result -> [Result | results(Module, Cases, Patience)]
    end;
results(_, [], _) ->
    [].

result(Module, {Function, Arguments} = Case, Patience) ->
    Self = self(),
    Kind = erlang:phash2(Case, 8),
    Run = fun() ->
        Ballast = ballast(Kind),
        Self ! {self(), canonical(attempt(Module, Function, Arguments)), length(Ballast)}
    end,
    Most = {max_heap_size, #{size => ?HEAP, kill => true, error_logger => false}},
    {Pid, Monitor} = spawn_opt(Run, [monitor, Most, {fullsweep_after, sweep(Kind)}]),
    receive
        {Pid, Result, _} -> erlang:demonitor(Monitor, [flush]), Result;
        {'DOWN', Monitor, process, Pid, _} -> stopped
    after Patience ->
        exit(Pid, kill),
        receive {'DOWN', Monitor, process, Pid, _} -> late end
    end.

%% Large heaps are collected by other threads.
ballast(0) -> lists:seq(1, 100000);
ballast(_) -> [].

%% After how many collections one moves everything: with ballast, not each.
sweep(0) -> 100;
sweep(Kind) -> 5 * (Kind rem 2).

attempt(Module, Function, Arguments) ->
    try apply(Module, Function, Arguments) of
        Value -> {value, Value}
    catch
        Class:Reason:Trace -> {Class, Reason, Trace}
    end.

%% The same for things that are told apart only by when they were made, and for maps however they are ordered.
%% Of stack traces the VM leaves out return addresses that repeat, and natively a call may have two.
canonical(T) when is_float(T) -> {float, <<T/float>>};
canonical([{_, _, _, [{file, _}, {line, _}]} = Place, Place | T]) -> canonical([Place | T]);
canonical([H | T]) -> [canonical(H) | canonical(T)];
canonical(T) when is_tuple(T) -> list_to_tuple(canonical(tuple_to_list(T)));
canonical(T) when is_map(T) -> {map, lists:sort([{canonical(K), canonical(V)} || {K, V} <- maps:to_list(T)])};
canonical(T) when is_function(T) ->
    [{_, M}, {_, N}, {_, A}] = [erlang:fun_info(T, Item) || Item <- [module, name, arity]],
    {'fun', M, N, A, canonical(element(2, erlang:fun_info(T, env)))};
canonical(T) when is_pid(T) -> pid;
canonical(T) when is_reference(T) -> reference;
canonical(T) when is_port(T) -> port;
canonical(T) -> T.
