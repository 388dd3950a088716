%% A process whose heap a NIF has damaged, which nobody sees until its garbage is collected.
-module(overrun).
-export([start/1, write_behind/1]).
-nifs([write_behind/1]).
-on_load(load/0).

load() -> erlang:load_nif(filename:join(filename:dirname(code:which(?MODULE)), "overrun_nif"), 0).

%% It goes on as soon as there is a file of that name.
start(Now) ->
    spawn(fun() ->
        register(overrun, self()),
        await(Now),
        Binary = binary:copy(<<"0123456789abcdef">>),
        Behind = {make_ref(), self()},
        ok = write_behind(Binary),
        %% The first one takes what it finds for where that has been moved, the second one follows it.
        garbage_collect(),
        garbage_collect(),
        exit({Binary, Behind})
    end).

await(Now) ->
    case filelib:is_file(Now) of
        true -> ok;
        false -> receive after 50 -> await(Now) end
    end.

write_behind(_) -> erlang:nif_error(not_loaded).
