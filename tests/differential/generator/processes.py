"""Messages, processes and the process dictionary; nothing depends on which process is faster."""

from __future__ import annotations

from tests.differential.generator.samples import ASKED, DATA, KINDS
from tests.differential.generator.writer import Writer, produces
from tests.differential.tree import Node, expression, items, text


@produces(*ASKED)
def to_itself(w: Writer) -> Node:
    """Some messages to itself, of which patterns select one."""
    kind = w.pick(KINDS)
    sent = [(w.pick(("one", "two", "three")), w.pick(DATA)) for _ in range(w.number(1, 4))]
    sends = [w.form("other", f"self() ! {{{tag}, @{inner}}}") for tag, inner in sent]
    clauses = []
    for _ in range(w.number(1, 3)):
        with w.inner():
            tag, inner = w.pick(sent)
            clauses.append(text(f"{{{tag}, ", w.pattern(inner, 1), "}", w.when(0.2), " ->\n        ", w.body(kind)))
    timeout = f"\n    after {w.pick(('0', '0', '1', '(opaque(0))', '(opaque(1))'))} -> "
    receive = expression(kind, "receive\n    ", items(clauses, ";\n    "), timeout, w.body(kind), "\n    end")
    return expression(kind, "begin ", items([*sends, receive], ",\n        ", 1), " end")


@produces(*ASKED)
def from_another(w: Writer) -> Node:
    """What a process computes; it may fail."""
    kind = w.pick(KINDS)
    with w.inner():
        value = w.body(kind)
    me, message, result = w.fresh("any").name, w.fresh("any").name, w.fresh(kind).name
    spawn = text("spawn_monitor(fun() -> exit({done, ", expression("any", "begin ", value, " end"), "}) end)")
    receive = f"receive {{'DOWN', {message}, process, {me}, {result}}} -> {result} end"
    return expression("any", f"begin {{{me}, {message}}} = ", spawn, f",\n        {receive} end")


@produces(*ASKED)
def ping_pong(w: Writer) -> Node:
    """A process that answers until it is told to stop."""
    me, pid, monitor, got, why = (w.fresh("any").name for _ in range(5))
    with w.inner():
        asked = w.variable("integer").name
        with w.repeated():
            answer = w.make("any")
    serve = text(
        f"fun Serve{me}() ->\n            receive stop -> ok;\n            {{ask, {asked}}} -> {me} ! {{answer, ",
        answer,
        f"}}, Serve{me}()\n            end end",
    )
    # A process that has failed is asked again.
    failed = f"{{'DOWN', {monitor}, _, _, {why}}} = Down{me} -> self() ! Down{me}, {why}"
    ask = f"[begin {pid} ! {{ask, N}}, receive {{answer, {got}}} -> {got}; {failed} end end || N <- "
    start = text(f"{me} = self(), {{{pid}, {monitor}}} = spawn_monitor(", serve, "),\n        ")
    return expression("list", "begin ", start, ask, w.make("integers"), "] end")


@produces(*ASKED)
def dictionary(w: Writer) -> Node:
    key = w.pick(("key", "other", "{a, 1}"))
    return w.form("any", w.pick((f"put({key}, @any)", f"get({key})", f"erase({key})")))


@produces("any")
def identities(w: Writer) -> Node:
    return expression("any", w.pick(("self()", "make_ref()", "node()", "is_pid(self())", "{self(), make_ref()}")))
