%% What the tests of commands compile, list and run.
-module(program).
-export([main/1, answer/0, pair/1, swap_pair/1, unchanged/1]).

main(["fail" | Rest]) ->
    {ok, Rest} = pair(Rest);
main(Arguments) ->
    io:format("~p ~w ~w~n", [Arguments, native:loaded(), answer()]).

answer() ->
    {answer, 42, -7, 1000000, "text"}.

%% The first two need put_list, the second get_list too.
pair(X) ->
    [X | X].

swap_pair([X | Y]) ->
    [Y | X].

unchanged(X) ->
    X.
