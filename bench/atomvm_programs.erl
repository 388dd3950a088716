%% Small programs that are timed in AtomVM, without any library.
-module(atomvm_programs).
-export([start/0, run/1]).

-define(RUNS, 7).

%% By default heaps grow by few words at a time, and such programs do little beside collecting garbage.
start() ->
    spawn_opt(?MODULE, run, [self()], [{atomvm_heap_growth, fibonacci}]),
    receive ended -> ok end.

%% Print, for each program, its name and the shortest time of some runs, in microseconds.
run(Parent) ->
    Numbers = random(2000, 12345, []),
    Binary = bytes(3000, <<>>),
    Map = numbered(40, #{}),
    measure(fib, fun() -> fib(23) end),
    measure(tak, fun() -> tak(16, 10, 4) end),
    measure(nrev, fun() -> repeat(8, fun() -> nrev(sequence(300, [])) end) end),
    measure(sort, fun() -> repeat(4, fun() -> sort(Numbers) end) end),
    measure(binary, fun() -> repeat(60, fun() -> sum(Binary, 0) end) end),
    measure(maps, fun() -> repeat(8, fun() -> update(40, Map), records(100, #{a => 1, b => 2, c => 3}) end) end),
    Parent ! ended.

measure(Name, Program) ->
    Program(),
    erlang:display({Name, shortest(?RUNS, Program, 1 bsl 50)}).

%% The shortest time is that of a run that no other program of the system has interrupted.
shortest(0, _, Least) ->
    Least;
shortest(Runs, Program, Least) ->
    erlang:garbage_collect(),
    Before = erlang:monotonic_time(microsecond),
    Program(),
    Time = erlang:monotonic_time(microsecond) - Before,
    shortest(Runs - 1, Program, if Time < Least -> Time; true -> Least end).

repeat(1, Program) -> Program();
repeat(N, Program) -> Program(), repeat(N - 1, Program).

%% Numbers that are always the same.
random(0, _, L) -> L;
random(N, Seed, L) -> random(N - 1, (Seed * 1103 + 12347) rem 65537, [Seed | L]).

sequence(0, L) -> L;
sequence(N, L) -> sequence(N - 1, [N | L]).

bytes(0, B) -> B;
bytes(N, B) -> bytes(N - 1, <<B/binary, (N rem 256)>>).

numbered(0, M) -> M;
numbered(N, M) -> numbered(N - 1, M#{N => N}).

fib(N) when N < 2 -> N;
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

split([X | L], One, Other) -> split(L, Other, [X | One]);
split([], One, Other) -> {One, Other}.

merge([X | A], [Y | _] = B) when X =< Y -> [X | merge(A, B)];
merge(A, [Y | B]) -> [Y | merge(A, B)];
merge([], B) -> B;
merge(A, []) -> A.

sum(<<X, Rest/binary>>, S) -> sum(Rest, S + X);
sum(<<>>, S) -> S.

update(0, M) -> M;
update(N, M) ->
    #{N := V} = M,
    update(N - 1, M#{N := V + 1}).

records(0, M) -> M;
records(N, #{a := A, b := B} = M) -> records(N - 1, M#{a := B, b := A + 1}).
