%% A small shop: one process that takes order after order, forever, and is always busy.
%% Whoever stops it finds shop:seal/2, most often, below
%%   shop:price/1, a fun of shop:total/2, lists:foldl_1/3 or lists:foldl/3, shop:total/2, shop:order/3, shop:open/1.
%% Each caller needs variables after the call, so these live in y registers meanwhile.
-module(shop).
-export([start/0, open/1]).

-define(CUSTOMER, #{name => <<"Åsa"/utf8>>, since => {1998, 5, 20}, discount => 0.15, 'e-mail' => "asa@example.org"}).
-define(BASKET, [{tea, 2, 450}, {'rye bread', 1, 620}, {diamond, 3, 1 bsl 70}]).
-define(ROUNDS, 200000).

start() ->
    true = register(shop, spawn(?MODULE, open, [1])),
    io:format("the shop is open~n").

open(Number) ->
    {invoice, Number, _, _} = order(Number, ?CUSTOMER, ?BASKET),
    open(Number + 1).

order(Number, Customer, Basket) ->
    Total = total(Basket, Customer),
    {invoice, Number, Customer, Total}.

total(Basket, Customer) ->
    Sum = lists:foldl(fun(Line, Before) -> Before + price(Line) end, 0, Basket),
    Sum * (1 - maps:get(discount, Customer)).

price({Item, Count, Each} = Line) ->
    Seal = seal(?ROUNDS, erlang:phash2(Line)),
    true = is_integer(Seal) andalso is_atom(Item),
    Count * Each.

%% Costs time, as sealing should.
seal(0, Sum) -> Sum;
seal(Left, Sum) -> seal(Left - 1, (Sum * 31 + Left) rem 65521).
