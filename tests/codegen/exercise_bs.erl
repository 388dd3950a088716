%% Binaries: what must come out the same interpreted and native. run/0 gives a list of results, exceptions with their
%% stack traces.
-module(exercise_bs).
-export([run/0, count/2]).

-define(INTEGER(N),
        integer_field(N, <<A:N, B:N/little, C:N/signed, D:N/signed-little, Rest/bits>>) -> {A, B, C, D, bit_size(Rest)};
        integer_field(N, <<A:N, _/bits>>) -> {only, A};
        integer_field(N, Other) -> {no, Other}).

run() ->
    [apart(F) || F <- cases()].

%% Each in a process of its own: the stress mode collects its garbage often.
apart(F) ->
    {Pid, Monitor} = spawn_monitor(fun() -> exit({result, attempt(F)}) end),
    receive
        {'DOWN', Monitor, process, Pid, Result} -> Result
    end.

attempt(F) ->
    try F() of
        Value -> {ok, Value}
    catch
        Class:Reason:Trace ->
            {Class, Reason, [Entry || {M, _, _, _} = Entry <- Trace, M =:= ?MODULE]}
    end.

cases() ->
    [fun() -> [begin <<_:Skip, B/bits>> = bytes(), integer_field(N, B) end || Skip <- [0, 1, 7, 8], N <- sizes()] end,
     fun() -> [integer_field(N, B) || N <- sizes(), B <- [<<>>, <<1:1>>, ones(), zeros(), <<-2:80>>, <<1:65>>]] end,
     fun() -> [variable_field(Skip, N, bytes()) || Skip <- [0, 1, 4, 7], N <- lists:seq(Skip, 66, 3)] end,
     fun() -> [variable_field(0, N, ones()) || N <- [127, 128, 129, 512, 513, 600, 10000]] end,
     fun() -> [variable_field(0, N, bytes()) || N <- [-1, a, 1.0, 1 bsl 27, 1 bsl 31, 1 bsl 32, 1 bsl 100, -(1 bsl 40)]] end,
     fun() -> [units(N, bytes()) || N <- [0, 1, 2, 3, 10, 1 bsl 26, 1 bsl 27, 1 bsl 29, -1, x]] end,
     fun() -> [digits(B) || B <- [<<"2026-11-21T16:05:59.123456Z">>, <<"1">>, <<>>, <<"x">>]] end,
     fun() -> [six(B) || B <- [<<"any carnal pleas">>, <<1, 2, 3>>, <<1:5>>, <<255, 254:9>>]] end,
     fun() -> [header(B) || B <- headers()] end,
     fun() -> [count(B, 0) || B <- [<<>>, bytes(), binary:copy(<<1, 2, 3>>, 2000)]] end,
     fun() -> [string(B) || B <- [<<"GET /">>, <<"GOT /">>, <<"HTTP/1.1 200">>, <<"HTTP/1.1 20">>, <<>>, <<"PUT">>, <<"\r\n">>]] end,
     fun() -> [begin <<_:Skip, B/bits>> = <<0:Skip, S/binary>>, string(B) end ||
                  Skip <- [1, 5], S <- [<<"GET /x">>, <<"HTTP/1.1 200 OK">>, <<"HTTP/1.1 201 OK">>, <<"HTTP/1.0 200 OK">>]] end,
     fun() -> [string_bits(B) || B <- [<<5:3, 1:1>>, <<"ab", 5:3>>, <<"ab", 6:3>>, <<1:33>>, <<1:34>>, <<0:32, 1:1, 7:3>>]] end,
     fun() -> [binary_field(N, B) || N <- [0, 1, 3, 63, 64, 65, 100, 300, 301, -1, a, 1 bsl 28, 1 bsl 40], B <- [bytes(), <<1, 2, 3:7>>]] end,
     fun() -> [bits_field(N, bytes()) || N <- [0, 1, 7, 8, 511, 512, 513, 520, 2400, 2401]] end,
     fun() -> [begin <<_:3, B/bits>> = bytes(), binary_field(N, B) end || N <- [1, 64, 65]] end,
     fun() -> [tails(B) || B <- [<<>>, <<1>>, <<1, 2>>, <<1:4>>, <<1:12>>, <<1:20>>, <<1:24>>, bytes(), <<1:7>>]] end,
     fun() -> [float_field(B) || B <- floats()] end,
     fun() -> [begin <<_:3, B/bits>> = <<0:3, F/bits>>, float_field(B) end || F <- floats()] end,
     fun() -> [float_size(N, <<1.5:64/float>>) || N <- [0, 16, 32, 64, 65, 128, -1, x]] end,
     fun() -> [utf(B) || B <- texts()] end,
     fun() -> [begin <<_:5, B/bits>> = <<0:5, T/bits>>, utf(B) end || T <- texts()] end,
     fun() -> [skip_utf(B) || B <- texts()] end,
     fun() -> [skip(N, bytes()) || N <- [0, 1, 100, 299, 300, 301, -1, 1 bsl 28, x]] end,
     fun() -> [back(B) || B <- [<<1, 2, 3>>, <<1, 2, 4>>, <<1, 3>>, <<2, 1:1>>, <<3>>, <<1>>, x, [], {}]] end,
     fun() -> [lines(B, []) || B <- [<<"one\ntwo\n\nthree">>, <<>>, <<"\n">>]] end,
     fun() -> json(<<"{\"a\": [1, -2.5e3, true, null, \"x\\ny\"], \"b\": {}}">>) end,
     fun() -> json(<<"[1, 2">>) end,
     fun() -> far(binary:copy(binary:copy(<<7>>, 1000), 17000)) end,
     fun() -> no_match(<<1, 2>>) end,
     fun() -> no_match(x) end,
     fun() -> [parallel(A, B) || A <- [<<1, 2>>, <<1>>, x], B <- [<<1, 2, 3>>, <<1, 3>>]] end,
     fun() -> [keep(lists:seq(1, 50), bytes(), [])] end,

     fun() -> [build(X) || X <- numbers()] end,
     fun() -> [attempt(fun() -> build_sized(X, N) end) || X <- numbers(), N <- [0, 1, 7, 8, 27, 28, 29, 32, 33, 64, 100, 513, 4097]] end,
     fun() -> [attempt(fun() -> build_sized(1, N) end) || N <- [-1, a, 1.0, 1 bsl 40, -(1 bsl 40)]] end,
     fun() -> [attempt(fun() -> build_sized(X, 8) end) || X <- [a, 1.0, <<>>, []]] end,
     fun() -> [attempt(fun() -> mixed(X, B, F) end) || X <- [5, -1, 1 bsl 60, x], B <- [<<>>, <<"abc">>, <<1:3>>, bytes(), y], F <- [1.5, 3, z, 1 bsl 2000]] end,
     fun() -> [attempt(fun() -> floats_of(X) end) || X <- [0, 1, -1.5, 1.0e300, 70000.0, x, 1 bsl 1100]] end,
     fun() -> [attempt(fun() -> float_sized(1.5, N) end) || N <- [16, 32, 64, 8, 0, x, -1]] end,
     fun() -> [attempt(fun() -> texts_of(X) end) || X <- [0, 127, 128, 16#7FF, 16#800, 16#D7FF, 16#D800, 16#DFFF, 16#E000, 16#FFFF, 16#10000, 16#10FFFF, 16#110000, -1, x, 1 bsl 40]] end,
     fun() -> [attempt(fun() -> part(B, N) end) || B <- [<<1, 2, 3>>, <<1, 2, 3:5>>, bytes(), x], N <- [0, 1, 3, 4, -1, y, 1 bsl 40]] end,
     fun() -> [attempt(fun() -> whole(B) end) || B <- [<<1, 2>>, <<1:9>>, bytes(), <<1:601>>, x, ones()]] end,
     fun() -> [attempt(fun() -> empty(X) end) || X <- [1, x, <<1>>]] end,
     fun() -> [small_fields(A, B) || A <- [0, 1, -1, 5, 1 bsl 27, 1 bsl 70], B <- [0, 3, -1, 1 bsl 28]] end,
     fun() -> far_constant(200, 201, bytes()) end,
     fun() -> [in_guard(X, Y) || X <- [5, x], Y <- [8, 16, z, -1]] end,
     fun() -> append(lists:seq(1, 300), <<>>) end,
     fun() -> append(lists:seq(1, 300), <<1:3>>) end,
     fun() -> append_bits(lists:seq(1, 100), <<>>) end,
     fun() -> append_strings(50, <<"-">>) end,
     fun() -> attempt(fun() -> append([1, 2, x, 3], <<>>) end) end,
     fun() -> [attempt(fun() -> append_to(X, 1) end) || X <- [<<>>, <<1>>, <<1:7>>, x, bytes()]] end,
     fun() -> shared_append(<<1, 2>>) end,
     fun() -> [attempt(fun() -> append_last(1, 2, B, X) end) || B <- [<<"abc">>, <<1:1>>, bytes(), y], X <- [3, z]] end,
     fun() -> << <<(X + 1)>> || X <- lists:seq(0, 200) >> end,
     fun() -> [comprehension(N) || N <- [0, 1, 5, 200]] end,
     fun() -> [generator(B) || B <- [<<>>, bytes(), <<1, 2, 3:4>>]] end,
     fun() -> [attempt(fun() -> encode(T) end) || T <- [[], [1, 2.5, <<"x">>, a, -7], [[1], [2, [3]]], {}]] end,
     fun() -> byte_size(large(50, [])) end,
     fun() -> round_trip(lists:seq(1, 100)) end].

sizes() ->
    [0, 1, 3, 6, 7, 8, 9, 12, 15, 16, 17, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33, 40, 48, 63, 64, 65, 128, 520].

bytes() ->
    list_to_binary(bytes(300, 17)).

bytes(0, _) -> [];
bytes(N, Seed) -> [(Seed bsr 7) band 255 | bytes(N - 1, (Seed * 1103515 + 12345) band 16#FFFFFF)].

ones() -> binary:copy(<<255>>, 80).

zeros() -> binary:copy(<<0>>, 80).

?INTEGER(0); ?INTEGER(1); ?INTEGER(3); ?INTEGER(6); ?INTEGER(7); ?INTEGER(8); ?INTEGER(9);
?INTEGER(12); ?INTEGER(15); ?INTEGER(16); ?INTEGER(17); ?INTEGER(23); ?INTEGER(24); ?INTEGER(25);
?INTEGER(26); ?INTEGER(27); ?INTEGER(28); ?INTEGER(29); ?INTEGER(31); ?INTEGER(32); ?INTEGER(33);
?INTEGER(40); ?INTEGER(48); ?INTEGER(63); ?INTEGER(64); ?INTEGER(65); ?INTEGER(128); ?INTEGER(520).

variable_field(Skip, N, B) ->
    case B of
        <<_:Skip, A:N, C:N/little, D:N/signed, E:N/signed-little, Rest/bits>> -> {A, C, D, E, bit_size(Rest)};
        <<_:Skip, A:N, _/bits>> -> {only, A};
        _ -> no
    end.

units(N, B) ->
    {case B of <<A:N/unit:8, _/bits>> -> A; _ -> no end,
     case B of <<A:N/unit:7, _/bits>> -> A; _ -> no end,
     case B of <<A:N/binary-unit:5, _/bits>> -> A; _ -> no end,
     case B of <<_:N/unit:13, A, _/bits>> -> A; _ -> no end,
     case B of <<_:N/unit:256, A, _/bits>> -> A; _ -> no end}.

digits(<<Y:4/binary, $-, M:2/binary, $-, D:2/binary, $T, Rest/binary>>) -> {Y, M, D, digits(Rest)};
digits(<<D, Rest/binary>>) when D >= $0, D =< $9 -> [D - $0 | digits(Rest)];
digits(<<_, Rest/binary>>) -> digits(Rest);
digits(<<>>) -> [].

six(<<A:6, B:6, C:6, D:6, Rest/bits>>) -> [A, B, C, D | six(Rest)];
six(<<A:6, Rest/bits>>) -> [{A} | six(Rest)];
six(Rest) -> Rest.

headers() ->
    [<<4:4, 5:4, 0, 40:16, 1:16, 2:3, 0:13, 64, 6, 0:16, 192, 168, 0, 1, 10, 0, 0, 255, "payload">>,
     <<4:4, 6:4, 0, 44:16, 1:16, 2:3, 0:13, 64, 17, 0:16, 192, 168, 0, 1, 10, 0, 0, 255, 1, 2, 3, 4, "rest">>,
     <<6:4, 0:36>>, <<4:4>>, <<>>].

header(<<4:4, Words:4, _Service, Length:16, Id:16, Flags:3, Offset:13, Life, Protocol, Sum:16, From:32, To:4/binary, Rest/binary>>) ->
    OptionBytes = (Words - 5) * 4,
    <<Options:OptionBytes/binary, Payload/binary>> = Rest,
    {Length, Id, Flags, Offset, Life, Protocol, Sum, From, To, Options, Payload};
header(<<6:4, Class:8, Label:20, _/bits>>) -> {Class, Label};
header(B) -> {other, B}.

count(<<_, Rest/binary>>, N) -> ?MODULE:count(Rest, N + 1);
count(<<>>, N) -> N.

string(<<"GET ", Path/bits>>) -> {get, Path};
string(<<"HTTP/1.1 200", Rest/bits>>) -> {ok, Rest};
string(<<"HTTP/1.1 20", Rest/bits>>) -> {almost, Rest};
string(<<"HTTP/1.", V, Rest/bits>>) -> {version, V, Rest};
string(<<"\r\n", _/bits>>) -> newline;
string(<<"PUT">>) -> put;
string(<<G:4, _:4, "OT", Rest/bits>>) -> {got, G, Rest};
string(_) -> none.

string_bits(<<5:3, Rest/bits>>) -> {five, Rest};
string_bits(<<"ab", 5:3>>) -> ab;
string_bits(<<"ab", N:3>>) -> {ab, N};
string_bits(<<0:32, 1:1, Rest/bits>>) -> {far, Rest};
string_bits(<<N:34>>) -> N;
string_bits(_) -> none.

binary_field(N, B) ->
    case B of
        <<A:N/binary, C:N/binary, Rest/bits>> -> {A, C, Rest};
        <<A:N/binary, Rest/binary>> -> {one, A, Rest};
        <<_:8, A/binary>> -> {all, A};
        _ -> no
    end.

bits_field(N, B) ->
    case B of
        <<A:N/bits, Rest/bits>> -> {A, bit_size(A), Rest};
        _ -> no
    end.

tails(B) ->
    {case B of <<_, _/binary-unit:16>> -> true; _ -> false end,
     case B of <<_:4, R/binary-unit:12>> -> R; _ -> false end,
     case B of <<_/binary-unit:24>> -> true; _ -> false end,
     case B of <<_/binary>> -> true; _ -> false end,
     case B of <<_:12>> -> true; _ -> false end,
     case B of <<1, 2>> -> true; _ -> false end,
     case B of <<1:7, R/bits>> -> R; _ -> false end}.

floats() ->
    [<<1.5:64/float>>, <<-0.0:64/float>>, <<1.0e308:64/float-little, 7>>, <<16#7FF00000:32, 0:32>>, <<16#7FF80000:32, 0:32>>, <<3.25:32/float>>,
     <<3.25:32/float-little>>, <<16#7F800000:32>>, <<1.5:16/float>>, <<16#7C00:16>>, <<1>>, <<>>].

float_field(<<F:64/float, R/bits>>) -> {double, F, R};
float_field(<<F:64/float-little, R/bits>>) -> {little, F, R};
float_field(<<N:64, R/bits>>) -> {no_double, N, R};
float_field(<<F:32/float>>) -> {single, F};
float_field(<<F:32/float-little>>) -> {little_single, F};
float_field(<<F:16/float>>) -> {half, F};
float_field(_) -> none.

float_size(N, B) ->
    case B of
        <<F:N/float, R/bits>> -> {F, R};
        _ -> no
    end.

texts() ->
    [<<"plain">>, <<"\x{e9}\x{20ac}\x{1f600}!"/utf8>>, <<"\x{e9}\x{20ac}\x{1f600}!"/utf16>>, <<"\x{1f600}a"/utf16-little>>,
     <<"\x{1f600}a"/utf32>>, <<"a\x{1f600}"/utf32-little>>, <<16#C0, 16#80>>, <<16#ED, 16#A0, 16#80>>, <<16#F4, 16#90, 16#80, 16#80>>,
     <<16#E2, 16#82>>, <<16#D800:16, 16#41:16>>, <<16#DC00:16>>, <<16#D83D:16>>, <<16#D800:32>>, <<16#110000:32>>, <<16#FFFFFFFF:32>>,
     <<1:7>>, <<>>].

utf(B) ->
    {utf8(B), utf16(B), utf16_little(B), utf32(B), utf32_little(B)}.

utf8(<<C/utf8, R/bits>>) -> [C | utf8(R)];
utf8(R) -> R.

utf16(<<C/utf16, R/bits>>) -> [C | utf16(R)];
utf16(R) -> R.

utf16_little(<<C/utf16-little, R/bits>>) -> [C | utf16_little(R)];
utf16_little(R) -> R.

utf32(<<C/utf32, R/bits>>) -> [C | utf32(R)];
utf32(R) -> R.

utf32_little(<<C/utf32-little, R/bits>>) -> [C | utf32_little(R)];
utf32_little(R) -> R.

skip_utf(B) ->
    {case B of <<_/utf8, R/bits>> -> R; _ -> no end,
     case B of <<_/utf16, R/bits>> -> R; _ -> no end,
     case B of <<_/utf16-little, R/bits>> -> R; _ -> no end,
     case B of <<_/utf32, R/bits>> -> R; _ -> no end,
     case B of <<_/utf32-little, R/bits>> -> R; _ -> no end}.

skip(N, B) ->
    {case B of <<_:N/binary, X, _/bits>> -> X; _ -> no end,
     case B of <<_:N, X:5, _/bits>> -> X; _ -> no end,
     case B of <<_:24, X, _:40, Y, _/bits>> -> {X, Y}; _ -> no end}.

%% Clauses that begin again from a saved position, and terms that are no binaries.
back(<<1, Rest/binary>>) ->
    case Rest of
        <<2, 3>> -> a;
        <<2, X>> -> {b, X};
        _ -> {c, Rest}
    end;
back(<<2, X:1>>) -> {d, X};
back(<<3>>) -> e;
back([]) -> nil;
back(B) when is_atom(B) -> atom;
back(_) -> other.

lines(<<$\n, Rest/binary>>, Line) -> [lists:reverse(Line) | lines(Rest, [])];
lines(<<C, Rest/binary>>, Line) -> lines(Rest, [C | Line]);
lines(<<>>, Line) -> [lists:reverse(Line)].

json(B) ->
    {Value, Rest} = value(space(B)),
    <<>> = space(Rest),
    Value.

space(<<C, Rest/binary>>) when C =:= $\s; C =:= $\n -> space(Rest);
space(Rest) -> Rest.

value(<<"true", Rest/binary>>) -> {true, Rest};
value(<<"false", Rest/binary>>) -> {false, Rest};
value(<<"null", Rest/binary>>) -> {null, Rest};
value(<<$", Rest/binary>>) -> text(Rest, <<>>);
value(<<$[, Rest/binary>>) -> elements(space(Rest), []);
value(<<${, Rest/binary>>) -> pairs(space(Rest), #{});
value(<<C, _/binary>> = B) when C =:= $-; C >= $0, C =< $9 -> number(B, B, 0).

text(<<$", Rest/binary>>, Text) -> {Text, Rest};
text(<<$\\, $n, Rest/binary>>, Text) -> text(Rest, <<Text/binary, $\n>>);
text(<<C/utf8, Rest/binary>>, Text) -> text(Rest, <<Text/binary, C/utf8>>).

elements(<<$], Rest/binary>>, List) -> {lists:reverse(List), Rest};
elements(<<$,, Rest/binary>>, List) -> elements(space(Rest), List);
elements(B, List) ->
    {Value, Rest} = value(B),
    elements(space(Rest), [Value | List]).

pairs(<<$}, Rest/binary>>, Map) -> {Map, Rest};
pairs(<<$,, Rest/binary>>, Map) -> pairs(space(Rest), Map);
pairs(<<$", B/binary>>, Map) ->
    {Key, Rest} = text(B, <<>>),
    <<$:, After/binary>> = space(Rest),
    {Value, More} = value(space(After)),
    pairs(space(More), Map#{Key => Value}).

number(<<C, Rest/binary>>, B, N) when C >= $0, C =< $9; C =:= $.; C =:= $-; C =:= $e -> number(Rest, B, N + 1);
number(_, B, N) ->
    <<Digits:N/binary, Rest/binary>> = B,
    {Digits, Rest}.

%% Positions that are no small integers.
far(B) ->
    {far(B, 134217720), far(B, 134217728), far(B, 136000000),
     case B of
         <<_:134217800, 7, 8, _/binary>> -> no;
         <<_:134217800, 7, Rest/binary>> -> later(Rest)
     end}.

far(B, N) ->
    case B of
        <<_:N, X:16, 1, _/binary>> -> {one, X};
        <<_:N, X:16, Rest/binary>> -> {X, byte_size(Rest)};
        _ -> no
    end.

later(<<7, 7, 1, _/binary>>) -> one;
later(<<7, 7, Rest/binary>>) when byte_size(Rest) > 300000 -> more(Rest, 0);
later(_) -> none.

more(<<7, 7, Rest/binary>>, N) when N < 100 -> more(Rest, N + 1);
more(<<_, Rest/binary>>, N) -> {byte_size(Rest), N}.

no_match(B) ->
    <<1, 2, 3, _/binary>> = B.

parallel(<<A, B>>, <<A, B, C>>) -> {A, B, C};
parallel(<<A>>, <<A, C>>) -> {A, C};
parallel(_, <<_, Rest/binary>>) -> Rest.

%% Contexts that live across calls and collections.
keep([N | T], <<A:16, Rest/binary>>, List) ->
    Bin = <<A:16, N>>,
    keep(T, Rest, [{A, Bin, lists:seq(1, N)} | List]);
keep([], Rest, List) ->
    {Rest, erlang:md5(term_to_binary(List))}.

numbers() ->
    [0, 1, -1, 5, 255, 256, 1 bsl 24, 134217727, -134217728, 134217728, -134217729, 16#FFFFFFFF, 1 bsl 40, -(1 bsl 63), 1 bsl 100].

build(X) ->
    {<<X>>, <<X:16>>, <<X:24>>, <<X:32>>, <<X:16/little>>, <<X:24/little>>, <<X:32/little>>, <<X:64>>, <<X:64/little>>,
     <<X:3>>, <<X:5, X:3>>, <<X:4, 15:4, X:12>>, <<1, X, "abc">>, <<"abcd", X:8, "efghijk">>, <<X:7, "text">>, <<X:27>>, <<X:28, 5:4>>,
     <<X:600>>, <<X:601>>, <<X:1024/little>>, <<X:1, X:1, X:1, X:1, X:1, X:1, X:1, X:1>>, <<X:9/little, X:7>>}.

build_sized(X, N) ->
    {<<X:N>>, <<X:N/little>>, <<3:5, X:N, 1>>, <<1, X:N/little, 2:3>>, <<X:N/unit:8>>}.

mixed(X, B, F) ->
    <<X:8, B/bits, F/float, "tail", X:16/little, (byte_size(B)):32, F:32/float-little>>.

floats_of(X) ->
    {<<X/float>>, <<1:1, X:32/float>>, <<X:64/float-little>>, <<X:16/float>>}.

float_sized(F, N) ->
    <<F:N/float>>.

texts_of(X) ->
    {<<X/utf8>>, <<X/utf16>>, <<X/utf16-little>>, <<X/utf32>>, <<X/utf32-little>>, <<1:1, X/utf8, "z">>, <<$a, X/utf16, X/utf8, $b>>}.

part(B, N) ->
    {<<B:N/binary>>, <<1:3, B:N/binary, 2>>, <<B:3/binary, N>>, <<B:N/bits>>, <<B:1/binary-unit:17>>}.

whole(B) ->
    {<<B/bits>>, <<7, B/bits, 8>>, <<1:1, B/bits>>, <<B/binary>>}.

empty(X) ->
    {<<X:0>>, <<X:0, 5>>, <<X:0/binary>>}.

small_fields(A, B) ->
    {<<A:1, B:7>>, <<A:4, B:4, A:8>>, <<A:2, B:2, 3:4, "x">>, <<A:13, B:3, A:16>>, <<A:28, B:4>>, <<A:6, B:6, A:6, B:6, A:5>>}.

far_constant(A, B, C) ->
    <<0:2000, A, 0:16, B:16, C/binary, 1:3, A:5, B:24>>.

in_guard(X, Y) when <<X:Y>> =:= <<5>> -> byte;
in_guard(X, _) when <<X:16>> =:= <<0, 5>> -> half;
in_guard(_, _) -> other.

append([H | T], Acc) -> append(T, <<Acc/bits, H, (H * 3):16>>);
append([], Acc) -> Acc.

append_bits([H | T], Acc) -> append_bits(T, <<Acc/bits, H:3, H:4>>);
append_bits([], Acc) -> Acc.

append_strings(0, Acc) -> Acc;
append_strings(N, Acc) -> append_strings(N - 1, <<Acc/binary, "item ", (integer_to_binary(N))/binary, $;, N/utf8, 1.5/float>>).

append_to(B, X) -> {<<B/binary, X>>, <<B/bits, X:9>>, <<B/bits>>, <<B/binary, "">>}.

shared_append(B) ->
    A = <<B/binary, 3>>,
    {<<A/binary, 4>>, <<A/binary, 5, 6>>, A, <<A/binary>>}.

%% What is made longer is in the last register.
append_last(A, B, Acc, X) ->
    New = <<Acc/binary, X, A, B:16>>,
    {New}.

comprehension(N) ->
    {<< <<X:5>> || X <- lists:seq(1, N) >>, << <<X:16, "ab">> || X <- lists:seq(1, N), X rem 2 =:= 0 >>,
     << <<(<<X:8>>)/binary, X/float>> || X <- lists:seq(1, N) >>}.

generator(B) ->
    {[X || <<X>> <= B], [X || <<X:3>> <= B], << <<X:4>> || <<X:8>> <= B >>, << <<Y, X>> || <<X, Y>> <= B, X < Y >>}.

encode([]) -> <<106>>;
encode(L) when is_list(L) -> Body = << <<(encode(X))/binary>> || X <- L >>, <<108, (length(L)):32, Body/binary>>;
encode(X) when is_integer(X) -> <<98, X:32/signed>>;
encode(X) when is_float(X) -> <<70, X/float>>;
encode(X) when is_binary(X) -> <<109, (byte_size(X)):32, X/binary>>;
encode(X) when is_atom(X) -> N = atom_to_binary(X), <<119, (byte_size(N)), N/binary>>.

%% Much memory in large binaries.
large(0, List) -> iolist_to_binary(List);
large(N, List) ->
    B = bytes(),
    Bin = <<B/binary, N:32, B/binary, B/binary, B/binary>>,
    large(N - 1, [Bin | tl([x | List])]).

round_trip(List) ->
    Binary = lists:foldl(fun(N, Acc) -> <<Acc/binary, N:32, (N * N):24/little, (N / 4):32/float, N:5, -N:11>> end, <<>>, List),
    true = List =:= [N || <<N:32, _:24, _:32, _:16>> <= Binary],
    sums(Binary, 0, 0, 0).

sums(<<A:32, B:24/little, C:32/float, _:5, D:11/signed, Rest/binary>>, X, Y, Z) -> sums(Rest, X + A * B, Y + C, Z + D);
sums(<<>>, X, Y, Z) -> {X, Y, Z}.
