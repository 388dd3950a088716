%% Native code for modules whose .beam file carries some: what is loaded after start/0 runs natively.
%%
%% Start a node with `-s native` for modules that are loaded later than those of the kernel and stdlib that every node
%% needs, or with the boot script of jit/erts/boot.py for all but the preloaded ones. No other module may be needed here.
-module(native).
-export([start/0, loaded/0]).

%% Load the library. When it says that something is wrong, everything runs interpreted.
start() ->
    case erlang:load_nif(rootname(file()), 0) of
        ok -> ok;
        {error, {reload, _}} -> ok;
        {error, {load, _}} -> ok; % the library has said why
        {error, {Why, Text}} -> erlang:display_string("native: everything runs interpreted: "), erlang:display({Why, Text}), ok
    end.

%% How many instances of modules have native code now.
loaded() ->
    %% Native code must not take a NIF of the library for one of its own functions: none is exported.
    count().

count() ->
    0.

file() ->
    case erlang:whereis(code_server) of
        undefined ->
            {ok, _, File} = erl_prim_loader:get_file("native.beam"),
            File;
        _ ->
            code:which(?MODULE)
    end.

rootname(".beam") -> [];
rootname([Character | Rest]) -> [Character | rootname(Rest)].
