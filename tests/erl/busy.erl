%% A process that is always busy, three known functions deep: whoever stops it finds
%%   busy:spin/2, busy:inner/5 (one to three times), busy:middle/4, busy:outer/3, busy:loop/1.
%% Each caller needs its arguments after the call, so they live in y registers meanwhile.
-module(busy).
-export([start/0, loop/1, outer/3, middle/4, inner/5, spin/2]).

-define(SPINS, 2000000).

start() ->
    true = register(busy, spawn(?MODULE, loop, [0])),
    ok.

loop(Round) ->
    {outer, Round, _, _, _} = outer(Round, [alpha, "text" | tail], #{round => Round, <<"key">> => 1.5}),
    loop(Round + 1).

outer(Round, List, Map) ->
    Answer = middle(Round, {pair, List}, <<"a binary">>, fun(X) -> {X, Map} end),
    {outer, Round, List, Map, Answer}.

middle(Round, Tuple, Binary, Fun) ->
    Answer = inner(3, 1 bsl 70 + Round, -2.5, 'an atom', [Round]),
    {middle, Fun(Answer), Tuple, Binary}.

inner(0, _Big, _Float, _Atom, _Trail) ->
    0;
inner(Depth, Big, Float, Atom, Trail) ->
    Sum = spin(?SPINS, 0),
    Below = inner(Depth - 1, Big, Float, Atom, [Depth | Trail]),
    {Depth, Sum, Big, Float, Atom, Trail, Below}.

spin(0, Sum) -> Sum;
spin(Left, Sum) -> spin(Left - 1, Sum + Left rem 7).
