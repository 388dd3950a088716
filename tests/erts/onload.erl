%% A module whose on_load function does as it is told, and that gives its literals away.
-module(onload).
-on_load(begin_work/0).
-export([constants/0, fold/1]).

%% Meanwhile nobody else can call the module.
begin_work() ->
    10 = fold([1, 2, 3, 4]),
    persistent_term:get(?MODULE).

constants() ->
    {#{a => {1.5, "text"}, b => <<"bytes of a literal">>, c => [{N} || N <- [1, 2, 3]]},
     [{one, 1}, {two, "2"}, {four, #{4 => four}}, 1267650600228229401496703205376]}.

fold([H | T]) -> H + fold(T);
fold([]) -> 0.
