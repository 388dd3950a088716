%% Small programs that are timed. They are run in nodes that differ in what is native.
-module(native_programs).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2]).

%% Print, for each program, its name and the shortest time of so many runs, in microseconds.
main(Runs) ->
    [io:format("~s ~w~n", [Name, measure(Runs, Program)]) || {Name, Program} <- programs()],
    halt().

measure(Runs, Program) ->
    Program(),
    lists:min([once(Program) || _ <- lists:seq(1, Runs)]).

%% The shortest time is that of a run that no other program of the system has interrupted.
once(Program) ->
    erlang:garbage_collect(),
    Before = erlang:monotonic_time(),
    Program(),
    erlang:convert_time_unit(erlang:monotonic_time() - Before, native, microsecond).

programs() ->
    Long = random(1 bsl 12),
    Text = list_to_binary([[integer_to_list(N), $,] || N <- random(2000)]),
    Keys = maps:from_list([{N, N} || N <- lists:seq(1, 2000)]),
    Server = start(),
    [{"fib", fun() -> fib(22) end},
     {"tak", fun() -> tak(14, 9, 4) end},
     {"nrev", fun() -> nrev(lists:seq(1, 400)) end},
     {"merge sort", fun() -> sort(Long) end},
     {"queens", fun() -> length(queens(7)) end},
     {"binary parsing", fun() -> numbers(Text, 0, []) end},
     {"map update", fun() -> update(2000, Keys) end},
     {"ping-pong", fun() -> ping(Server, 2000) end},
     {"float loop", fun() -> mandelbrot(2000, 0.25, 0.5) end},
     {"lists:sort", fun() -> lists:sort(Long) end}].

%% Numbers that are always the same.
random(N) -> random(N, 12345, []).

random(0, _, L) -> L;
random(N, Seed, L) -> random(N - 1, (Seed * 1103 + 12347) rem 65537, [Seed | L]).

fib(0) -> 0;
fib(1) -> 1;
fib(N) -> fib(N - 1) + fib(N - 2).

tak(X, Y, Z) when Y < X -> tak(tak(X - 1, Y, Z), tak(Y - 1, Z, X), tak(Z - 1, X, Y));
tak(_, _, Z) -> Z.

nrev([H | T]) -> append(nrev(T), [H]);
nrev([]) -> [].

append([H | T], L) -> [H | append(T, L)];
append([], L) -> L.

sort([]) -> [];
sort([X]) -> [X];
sort(L) ->
    {One, Other} = split(L, [], []),
    merge(sort(One), sort(Other)).

split([A, B | T], One, Other) -> split(T, [A | One], [B | Other]);
split([A], One, Other) -> {[A | One], Other};
split([], One, Other) -> {One, Other}.

merge([A | T], [B | _] = L) when A =< B -> [A | merge(T, L)];
merge(L, [B | T]) when L =/= [] -> [B | merge(L, T)];
merge([], L) -> L;
merge(L, []) -> L.

queens(N) -> place(N, N, []).

place(_, 0, Board) -> [Board];
place(N, Row, Board) ->
    [Solution || Column <- lists:seq(1, N), safe(Column, 1, Board), Solution <- place(N, Row - 1, [Column | Board])].

safe(_, _, []) -> true;
safe(Column, Distance, [Other | Board]) ->
    Column =/= Other andalso abs(Column - Other) =/= Distance andalso safe(Column, Distance + 1, Board).

numbers(<<C, Rest/binary>>, N, L) when C >= $0, C =< $9 -> numbers(Rest, N * 10 + C - $0, L);
numbers(<<",", Rest/binary>>, N, L) -> numbers(Rest, 0, [N | L]);
numbers(<<>>, _, L) -> L.

update(0, Map) -> Map;
update(N, Map) ->
    #{N := Value} = Map,
    update(N - 1, Map#{N := Value + 1}).

mandelbrot(0, _, _) -> inside;
mandelbrot(N, X, Y) when X * X + Y * Y < 4.0 -> mandelbrot(N - 1, X * X - Y * Y + 0.25, 2.0 * X * Y * 0.1);
mandelbrot(_, _, _) -> outside.

%% A gen_server, which is this module too.
start() ->
    {ok, Server} = gen_server:start(?MODULE, [], []),
    Server.

ping(_, 0) -> ok;
ping(Server, N) -> N = gen_server:call(Server, N), ping(Server, N - 1).

init(_) -> {ok, 0}.

handle_call(N, _, Count) -> {reply, N, Count + 1}.

handle_cast(_, Count) -> {noreply, Count}.
