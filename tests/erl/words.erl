%% Tells the machine words of terms, for a debugger to decode: a process holds a copy of the terms of terms.erl (which
%% has to be started before), has a NIF print each one's name and word to standard output, and never runs again.
-module(words).
-export([start/0, hold/1, print/1]).
-on_load(load/0).

load() ->
    erlang:load_nif(filename:join(filename:dirname(code:which(?MODULE)), "words_nif"), 0).

start() ->
    Holder = spawn(?MODULE, hold, [self()]),
    true = register(words_holder, Holder),
    receive {printed, Holder} -> ok end.

hold(Starter) ->
    Terms = terms:all(),
    Printed = {printed, self()},
    %% What comes later allocates nothing on this heap, so the words stay right.
    true = erlang:garbage_collect(),
    ok = print(Terms),
    Starter ! Printed,
    park(Terms).

park(Terms) ->
    receive go_on -> Terms end.

%% For each of the pairs {Name, Term} a line "word NAME HEX".
print(_Pairs) ->
    erlang:nif_error(not_loaded).
