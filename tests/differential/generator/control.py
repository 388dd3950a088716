"""Choices, calls, funs and exceptions."""

from __future__ import annotations

from tests.differential.generator.samples import ASKED, DATA, KINDS
from tests.differential.generator.writer import LOOP, Signature, Writer, produces
from tests.differential.tree import Node, expression, items, text

# Choices


@produces(*ASKED, weight=3)
def case(w: Writer) -> Node:
    kind, subject = w.pick(KINDS), w.pick(DATA)
    value = w.make(subject)
    clauses = []
    for _ in range(w.pick((1, 2, 2, 3, 4))):
        with w.inner():
            clauses.append(text(w.pattern(subject), w.when(0.3), " ->\n        ", w.body(kind)))
    if w.chance(0.85):
        clauses.append(text("_ ->\n        ", w.body(kind)))
    return expression(kind, "case ", value, " of\n    ", items(clauses, ";\n    ", 1), "\n    end")


#: Kinds, and constants of them to choose by.
_CONSTANTS = (
    ("integer", ("0", "1", "2", "3", "4", "5", "6")),
    ("integer", ("1", "10", "100", "1000", "65536", "-1", "134217727")),
    ("integer", ("1", "4294967296", "-134217729", "2", "18446744073709551616")),
    ("atom", ("a", "b", "c", "ok", "true", "false", "undefined")),
    ("float", ("1.0", "2.5", "0.1")),
    ("tuple", ("{}", "{_}", "{_, _}", "{_, _, _}")),
)


@produces(*ASKED)
def select(w: Writer) -> Node:
    """By constants: jump tables and searches."""
    kind = w.pick(KINDS)
    subject, constants = w.pick(_CONSTANTS)
    clauses = [text(constant, " -> ", w.make(kind)) for constant in constants]
    clauses.append(text("_ -> ", w.make(kind)))
    return expression(kind, "case ", w.make(subject), " of\n    ", items(clauses, ";\n    ", 1), "\n    end")


@produces(*ASKED, weight=2)
def if_(w: Writer) -> Node:
    kind = w.pick(KINDS)
    clauses = [text(w.guard(), " -> ", w.body(kind)) for _ in range(w.number(1, 3))]
    if w.chance(0.85):
        clauses.append(text("true -> ", w.body(kind)))
    return expression(kind, "if ", items(clauses, ";\n    ", 1), "\n    end")


@produces(*ASKED)
def block(w: Writer) -> Node:
    kind = w.pick(KINDS)
    return expression(kind, "begin ", w.body(kind, w.number(1, 2)), " end")


# Calls


def written_as(kind: str) -> None:
    """Declare calls that give a kind."""

    @produces(kind, weight=5)
    def call(w: Writer) -> Node:
        callee = w.callee(kind)
        return call_of(w, callee) if callee else w.leaf(kind)


for _kind in ASKED:
    written_as(_kind)


def call_of(w: Writer, callee: Signature) -> Node:
    """A call in one of many ways."""
    arguments = items([w.make(kind) for kind in callee.parameters], least=len(callee.parameters))
    arity = len(callee.parameters)
    which = w.random.random()
    if callee.exported and which < 0.4:
        module = w.pick(("?MODULE", "?MODULE", "(opaque(?MODULE))"))
        if which < 0.2:
            name = callee.name if w.chance(0.6) else f"(opaque({callee.name}))"
            return expression(callee.result, f"{module}:{name}(", arguments, ")")
        if which < 0.3:
            return expression(callee.result, f"apply({module}, {callee.name}, [", arguments, "])")
        return expression(callee.result, f"apply(fun ?MODULE:{callee.name}/{arity}, opaque([", arguments, "]))")
    if which < 0.5:
        return expression(callee.result, f"(opaque(fun {callee.name}/{arity}))(", arguments, ")")
    if which < 0.55:
        return expression(callee.result, f"apply(fun {callee.name}/{arity}, [", arguments, "])")
    return expression(callee.result, f"{callee.name}(", arguments, ")")


# Funs


@produces("fun1", weight=3)
def fun1(w: Writer) -> Node:
    return _fun(w, 1)


@produces("fun2", weight=3)
def fun2(w: Writer) -> Node:
    return _fun(w, 2)


def _fun(w: Writer, arity: int) -> Node:
    clauses = []
    kinds = [w.pick(("integer", "integer", "any", "list")) for _ in range(arity)]
    for _ in range(w.pick((1, 1, 1, 2))):
        with w.inner(), w.fresh_patterns(), w.repeated():
            heads = w.patterns(kinds, 0)
            guard = w.when(0.2)
            clauses.append(text("(", items(heads, least=arity), ")", guard, " -> ", w.body(w.pick(("integer", "any")))))
    return expression(f"fun{arity}", "fun", items(clauses, "; ", 1), " end")


@produces("fun1")
def fun_of_function(w: Writer) -> Node:
    fit = [one for one in w.functions if len(one.parameters) == 1 and one.cost < 100]
    if not fit:
        return fun1(w)
    chosen = w.pick(fit)
    return expression("fun1", f"fun {'?MODULE:' if chosen.exported and w.chance(0.5) else ''}{chosen.name}/1")


@produces("any", "integer", weight=3)
def call_fun(w: Writer) -> Node:
    return w.form("any", w.pick(("(@fun1)(@integer)", "(@fun1)(@integer)", "(@fun2)(@integer, @any)")))


@produces("integer", "any")
def named_fun(w: Writer) -> Node:
    """One that calls itself a few times."""
    with w.inner(), w.fresh_patterns():
        inner = w.variable("integer").name
        end = w.make("integer")
        count = w.variable("integer").name
        with w.repeated():
            step = w.make("integer")
    first = text(f"fun Loop{count}(0, {inner}) -> ", end)
    second = text(f"Loop{count}({count}, {inner}) -> Loop{count}({count} - 1, ", step, ")")
    return expression("integer", "(", first, "; ", second, f" end)({w.number(0, LOOP)}, ", w.make("integer"), ")")


@produces("list", "integers", "any", weight=2)
def higher_order(w: Writer) -> Node:
    return w.form("list", w.pick((
        "lists:map(@fun1, @integers)", "lists:foldl(@fun2, @any, @integers)", "lists:foldr(@fun2, @any, @list)",
        "map_own(@fun1, @integers)",
    )))  # fmt: skip


# Exceptions


@produces(*ASKED, weight=2)
def catch(w: Writer) -> Node:
    return expression("any", "(catch ", w.make(w.pick(ASKED)), ")")


@produces(*ASKED, weight=3)
def try_(w: Writer) -> Node:
    kind = w.pick(KINDS)
    body = w.body(kind) if w.chance(0.7) else _raising(w)
    clauses = _of(w, kind)
    handlers = items(_handlers(w, kind), ";\n    ", 1)
    return expression(kind, "try ", body, *clauses, "\n    catch\n    ", handlers, *_after(w), "\n    end")


def _of(w: Writer, kind: str) -> list[str | Node]:
    if w.chance(0.6):
        return []
    clauses = []
    for _ in range(w.number(1, 2)):
        with w.inner():
            clauses.append(text(w.pattern(kind), w.when(0.2), " ->\n        ", w.body(kind)))
    if w.chance(0.8):
        clauses.append(text("_ -> ", w.body(kind)))
    return [" of\n    ", items(clauses, ";\n    ", 1)]


def _handlers(w: Writer, kind: str) -> list[Node]:
    clauses = []
    for _ in range(w.number(1, 3)):
        with w.inner():
            klass, reason, trace = w.pick(("error", "throw", "exit", "_", "CLASS")), _reason(w), ""
            if klass == "CLASS":
                klass = w.variable("atom").name
            if w.chance(0.4):
                variable = w.fresh("list")
                trace = f":{variable.name}"
            guard = w.when(0.15)
            body: Node = w.body(kind)
            if trace and w.chance(0.8):
                # The trace itself: raised again, or as a value.
                body = _with_trace(w, variable.name, klass if klass != "_" else "error", body)
            clauses.append(text(f"{klass}:", reason, trace, guard, " ->\n        ", body))
    if w.chance(0.7):
        clauses.append(text("_:_ -> ", w.body(kind)))
    return clauses


def _with_trace(w: Writer, trace: str, klass: str, body: Node) -> Node:
    if w.chance(0.4):
        return text(f"erlang:raise({klass}, ", w.make("any"), f", {trace})")
    return text("{", expression("any", "begin ", body, " end"), f", {trace}}}")


def _reason(w: Writer) -> Node:
    if w.chance(0.5):
        return w.pattern("any", 1)
    return text(w.pick(_REASONS))


#: Patterns of reasons that the VM gives.
_REASONS = (
    "badarg", "badarith", "function_clause", "{badmatch, _}", "{case_clause, _}", "if_clause", "_", "{badmap, _}",
    "{badkey, _}", "undef", "{badrecord, _}", "{badfun, _}",
)  # fmt: skip


def _after(w: Writer) -> list[str | Node]:
    if w.chance(0.8):
        return []
    return ["\n    after\n        ", text("put(after_, ", w.make("integer"), ")")]


@produces(*ASKED)
def raising(w: Writer) -> Node:
    """Only where it is caught."""
    return expression("any", "(catch ", _raising(w), ")")


def _raising(w: Writer) -> Node:
    klass = w.pick(("throw", "error", "exit", "error", "bad_class"))
    return w.form("any", w.pick((
        "throw(@any)", "error(@any)", "exit(@any)", "error(@any, [@integer])", "(@integer + @atom)",
        f"erlang:raise({klass}, @any, [])", "raise_own(@any)",
    )))  # fmt: skip
