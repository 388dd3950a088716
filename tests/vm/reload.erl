%% A process `catcher` waits below a catch and a try. The module `victim` is unloaded and loaded again on demand: each
%% step is taken when a file with its name appears in a folder, and the file is deleted when it is done.
-module(reload).
-export([start/1, caught/1]).

start(Folder) ->
    true = register(catcher, spawn(?MODULE, caught, [self()])),
    load(),
    spawn(fun() -> [step(filename:join(Folder, Name), Do) || {Name, Do} <- steps()] end).

steps() ->
    [{"delete", fun() -> true = code:delete(victim) end},
     {"purge", fun() -> false = code:purge(victim) end},
     {"load", fun load/0}].

load() ->
    {module, victim} = code:load_file(victim).

step(File, Do) ->
    case filelib:is_file(File) of
        true ->
            Do(),
            file:delete(File);
        false ->
            timer:sleep(10),
            step(File, Do)
    end.

caught(From) ->
    Caught = (catch tried(From)),
    From ! Caught.

tried(From) ->
    try waiting(From) of
        Result -> {ok, Result}
    catch
        _:Reason -> {error, Reason}
    end.

waiting(From) ->
    receive
        stop -> From ! stopped
    end.
