%% What is looked at in AtomVM under a debugger: processes that wait, and one whose stack is known.
-module(debuggee).
-export([start/0, server/2, outer/1, terms/0, id/1]).

-ifdef(SCHEDULERS).
schedulers() -> erlang:system_flag(schedulers_online, ?SCHEDULERS).
-else.
schedulers() -> all.
-endif.

start() ->
    _ = schedulers(),
    Server = spawn_opt(debuggee, server, [#{count => 1}, self()], []),
    register(shop, Server),
    Idle = spawn_opt(fun() -> idle(Server) end, []),
    Server ! {hello, Idle, <<"text">>},
    Server ! "second",
    receive
        {Server, ready} -> ok
    end,
    receive
    after 20 -> ok
    end,
    again([Server, Idle]).

%% Natively or interpreted, calls go on for as long as a debugger looks.
again(Pids) ->
    _ = outer(Pids),
    _ = fib(15),
    again(Pids).

server(State, Parent) ->
    put(a_key, {its, value}),
    Parent ! {self(), ready},
    receive
        stop -> {State, Parent}
    end.

idle(Other) ->
    receive
        {never, Other} -> Other
    end.

outer(Pids) ->
    _ = half_and_one(id(3.0)),
    Kept = {kept, id(7)},
    Result = middle(terms(), Pids),
    {Kept, Result}.

middle(Terms, Pids) ->
    Result = inner({seen, id(3)}, Terms),
    [Result | Pids].

inner(Shown, Terms) ->
    try
        erlang:display(Shown),
        length(Terms)
    catch
        _:_ -> none
    end.

terms() ->
    [
        id(42), id(-42), id(1 bsl 40), id(-(1 bsl 62)), id(123456789012345678901234567890),
        id(-123456789012345678901234567890), id(1.5), an_atom, 'Quoted Atom', [], {}, {1, {two}}, [1 | 2], "a string",
        <<>>, <<"heap">>, id(list_to_binary(lists(100, $x))), #{}, #{key => "value", 1 => one}, fun debuggee:id/1,
        part(id(list_to_binary(lists(40, $y))))
    ].

part(<<_:8, Rest/binary>>) -> Rest.

%% In float registers, the first of which keeps the result.
half_and_one(X) when is_float(X) -> X * 0.5 + 1.0.

lists(0, _) -> [];
lists(N, X) -> [X | lists(N - 1, X)].

fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).

id(X) -> X.
