%% Names that need quotes.
-module('odd.Module').
-export([start/0, 'a loop'/1, 'weird name'/1]).

start() ->
    true = register('odd process', spawn(?MODULE, 'a loop', [0])),
    ok.

'a loop'(Round) ->
    'Done' = 'weird name'({'an argument', Round}),
    receive after 1 -> ok end,
    'a loop'(Round + 1).

'weird name'({_, Round}) when Round >= 0 ->
    'Done'.
