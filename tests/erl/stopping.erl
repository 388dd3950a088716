%% A server that stops another one, which asks it something before it ends.
-module(stopping).
-behaviour(gen_server).
-export([start/0, init/1, handle_call/3, handle_cast/2, terminate/2]).

start() ->
    {ok, Asked} = gen_server:start(?MODULE, none, []),
    {ok, Stopped} = gen_server:start(?MODULE, Asked, []),
    gen_server:cast(Asked, {stop, Stopped}),
    receive after 100 -> ok end.

init(Whom) -> {ok, Whom}.

handle_call(_, _, Whom) -> {reply, Whom, Whom}.

handle_cast({stop, Server}, Whom) -> gen_server:stop(Server), {noreply, Whom}.

terminate(_, none) -> ok;
terminate(_, Whom) -> gen_server:call(Whom, may_i, infinity).
