%% Resources of NIFs, and who has them: a line "resource ADDRESS KEY VALUE" for each thing.
-module(holding).
-export([start/0, make/2, hold/2, keep/0, destructor/0]).
-on_load(load/0).

load() ->
    erlang:load_nif(filename:join(filename:dirname(code:which(?MODULE)), "holding_nif"), 0).

start() ->
    Self = self(),
    spawn(fun() -> Held = made(), Self ! made, receive never -> Held end end),
    receive made -> ok end,
    print(keep(), kept, true).

%% One is on a heap, in messages and in a table; of one it is only known that another process has it; and one is of
%% code that is not there any more. Who holds each is who made it, if nothing else is told.
made() ->
    {Shared, At} = made(?MODULE, plain, 100000),
    ets:new(t_holds_resource, [named_table]),
    ets:insert(t_holds_resource, {resource, Shared}),
    Told = spawn(fun() -> receive never -> ok end end),
    [Told ! {Shared, N} || N <- [1, 2]],
    print(At, told, Told),
    print(At, table, t_holds_resource),
    {Watching, Watches} = made(?MODULE, watching, 2000),
    {Part, Binary} = hold(Watching, Told),
    print(Watches, watched, Told),
    print(Watches, part, byte_size(Part)),
    print(Watches, binary, Binary),
    {Left, _} = made(unloaded, plain, 300),
    true = code:delete(unloaded),
    false = code:purge(unloaded),
    [Shared, Watching, Left, Part].

made(Module, Kind, Size) ->
    {Resource, Address} = Module:make(Kind, Size),
    print(Address, size, Size),
    print(Address, module, Module),
    print(Address, holder, self()),
    print(Address, destructor, Module:destructor()),
    {Resource, Address}.

print(Address, Key, Value) ->
    io:format("resource ~p ~s ~0p~n", [Address, Key, Value]).

make(_, _) -> erlang:nif_error(not_loaded).
hold(_, _) -> erlang:nif_error(not_loaded).
keep() -> erlang:nif_error(not_loaded).
destructor() -> erlang:nif_error(not_loaded).
