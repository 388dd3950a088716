%% What the world sees of a module: natively as interpreted.
-module(identity).
-vsn({1, 2}).
-author("nobody").
-export([run/0, reload/1, reload/3, compare/2, funs/1, apply_to/2, sum/1, send_funs/1, receive_funs/0]).

run() ->
    File = code:which(?MODULE),
    {_, Object, File} = code:get_object_code(?MODULE),
    {ok, {_, Essential}} = beam_lib:chunks(Object, [atoms, exports, imports, locals, attributes, compile_info]),
    {ok, {_, Debug}} = beam_lib:chunks(Object, [abstract_code], [allow_missing_chunks]),
    {ok, {_, Stripped}} = beam_lib:strip(Object),
    Funs = funs(7),
    [lists:sort(?MODULE:module_info()), lists:sort(?MODULE:module_info(functions)), ?MODULE:module_info(md5),
     catch ?MODULE:module_info(native), code:module_md5(Object),
     beam_lib:md5(Object), beam_lib:version(Object), code:module_status(?MODULE),
     lists:member({?MODULE, File}, code:modified_modules()), lists:member(?MODULE, erlang:loaded()),
     Essential, Debug, erlang:md5(Stripped),
     [lists:sort(erlang:fun_info(Fun)) -- [{pid, self()}] || Fun <- Funs],
     [erlang:fun_to_list(Fun) || Fun <- Funs],
     [erlang:phash2(Fun) || Fun <- Funs],
     [binary_to_term(term_to_binary(Fun)) =:= Fun || Fun <- Funs],
     [apply_to(Fun, 3) || Fun <- Funs]].

funs(N) ->
    [fun(X) -> X + N end, fun(X) -> X * 2 end, fun Loop(0) -> N; Loop(X) -> Loop(X - 1) end, fun ?MODULE:sum/1].

apply_to(Fun, X) ->
    try Fun(X) catch error:Reason -> Reason end.

sum(L) when is_list(L) -> lists:sum(L);
sum(N) -> N.

%% Funs outlive it that the same module is loaded anew, here from each of some files.
reload(Folders) ->
    ?MODULE:reload(Folders, funs(6), []).

reload([], _, Done) -> lists:reverse(Done);
reload([Folder | Rest], Funs, Done) ->
    code:purge(?MODULE),
    {module, ?MODULE} = code:load_abs(filename:join(Folder, ?MODULE)),
    ?MODULE:reload(Rest, Funs, [?MODULE:compare(Funs, ?MODULE:funs(6)) | Done]).

compare(Funs, Others) ->
    {[apply_to(Fun, 2) || Fun <- Funs], [Fun =:= Same || {Fun, Same} <- lists:zip(Funs, Others)]}.

%%% Funs of one node, called by another

send_funs(Node) ->
    Self = self(),
    {identity, Node} ! {Self, funs(1)},
    receive {Node, Values, Funs} -> {Values, [apply_to(Fun, 5) || Fun <- Funs]} end.

receive_funs() ->
    register(identity, self()),
    receive {From, Funs} ->
        From ! {node(), [apply_to(Fun, 4) || Fun <- Funs], funs(2)},
        ok
    end.
