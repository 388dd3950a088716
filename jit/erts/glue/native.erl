%% Native code for modules whose .beam file carries some: start a node with `-s native`, before what shall run natively.
-module(native).
-export([start/0, loaded/0]).
-on_load(init/0).

init() ->
    case erlang:load_nif(filename:rootname(code:which(?MODULE)), 0) of
        ok -> ok;
        {error, _} -> ok % the library has said why: everything runs interpreted
    end.

%% Load this module, and so the library.
start() ->
    ok.

%% How many instances of modules have native code now.
loaded() ->
    0.
