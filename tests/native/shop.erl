-module(shop).
-export([start/0, open/0, desk/1, order/2, priced/2, deliver/2, refused/1]).

start() ->
    register(desk, spawn(?MODULE, desk, [[{sold, 0}]])),
    register(shop, spawn(?MODULE, open, [])).

open() ->
    _ = order(tea, [1, 2, 3]),
    _ = stocked(300, []),
    _ = each(fun(Amount) -> priced(coffee, Amount) end, [4]),
    none = refused(0),
    timer:sleep(20),
    open().

order(What, Amounts) ->
    Total = total(What, Amounts, 0),
    {What, Total, Amounts}.

total(What, [Amount | Rest], Sum) ->
    Price = priced(What, Amount),
    total(What, Rest, Sum + Price);
total(What, [], Sum) ->
    New = counter:add(What, Sum),
    [What | New].

priced(What, Amount) ->
    Given = deliver(What, Amount),
    Given * 2 + length(atom_to_list(What)).

deliver(What, 3) ->
    <<Byte, _/binary>> = erlang:md5(atom_to_list(What)),
    Byte;
deliver(_, Amount) ->
    Amount.

stocked(0, Stock) ->
    length(Stock);
stocked(Left, Stock) ->
    Kept = {Left, [Left, Left]},
    stocked(Left - 1, [Kept | Stock]).

each(Price, Amounts) ->
    [Price(Amount) || Amount <- Amounts].

refused(Price) ->
    try shared(Price) of
        Each -> Each
    catch
        error:badarith ->
            _ = integer_to_list(Price),
            none
    end.

shared(Price) ->
    Each = 10 div Price,
    Each + 1.

desk(Sold) ->
    receive
        {sold, Amount} ->
            desk([{sold, Amount} | Sold])
    end.
