%% A module that is unloaded while there are resources of its library: see holding.erl.
-module(unloaded).
-export([make/2, hold/2, keep/0, destructor/0]).
-on_load(load/0).

load() ->
    erlang:load_nif(filename:join(filename:dirname(code:which(?MODULE)), "unloaded_nif"), 0).

make(_, _) -> erlang:nif_error(not_loaded).
hold(_, _) -> erlang:nif_error(not_loaded).
keep() -> erlang:nif_error(not_loaded).
destructor() -> erlang:nif_error(not_loaded).
