"""The screen: panes, a console, a command line, and keys for them."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final

from prompt_toolkit.application import Application, get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import (
    AnyContainer,
    BufferControl,
    ConditionalContainer,
    DynamicContainer,
    Float,
    FloatContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    ScrollOffsets,
    VSplit,
    Window,
)
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import AppendAutoSuggestion, BeforeInput
from prompt_toolkit.utils import get_cwidth

from beamgdb.late import dataclass
from beamgdb.screen import asked_first
from beamgdb.screen.command_line import Commands, history
from beamgdb.screen.connection import HASTE
from beamgdb.screen.lines import Asked, Line, Looks, filled, fitted, line, note, shortened
from beamgdb.screen.list_control import ListControl
from beamgdb.screen.model import ENDED, GONE, RUNNING, STARTING, STOPPED, Model
from beamgdb.screen.panes import PANES, PLACE, SORTED, Pane, arrangement
from beamgdb.screen.style import STYLE, colours
from beamgdb.screen.targets import Target, state_of
from jit.system.controls import harmless

CONSOLE: Final = "Console"

MARGIN: Final = ScrollOffsets(top=3, bottom=3)
"""Lines that are seen around that where one is."""

REDRAWN: Final = 0.02
"""Seconds from one time that the screen is drawn to the next, at least: GDB may say a thousand lines meanwhile."""

ADVISED: Final = re.compile(r"thread \d+")
"""A command that a line advises where there is nothing to show."""

REPEATED: Final = re.compile(
    r"(beam-(next|step)|n|next|s|step|ni|nexti|si|stepi|u|until|c|continue|fin|finish|up|down)(\s|$)"
)
"""What an empty line does again, as at GDB's prompt."""

GOES_ON: Final = re.compile(r"(l|list|x)(?=[\s/]|$)")
"""Commands that an empty line goes on with, behind what they have shown: there without what they were given."""

BEHIND_ESCAPE: Final = "0123456789xqnsmi/?"
"""Keys of panes, but for those that with Alt do something in a command line: on a line that is slow they come in one
piece with Escape, as if they were pressed with Alt."""

INTERPRETER: Final = "in process_main"
"""What GDB says of all code that is interpreted."""

STATES: Final = {STARTING: "GDB starts", STOPPED: "stopped", RUNNING: "running", GONE: "", ENDED: ""}

HELP: Final = """\
1 ... 9, x   show a pane: why, source, stack, code, processes, one process,
             schedulers, ETS tables, breakpoints, x registers; 0: console
Tab          the next pane on the screen; Shift-Tab the one before
↑ ↓ k j      go through it; PgUp ^B, PgDn ^F Space by pages; Home g, End G
← → h l      see what is left or right; the mouse goes, chooses and scrolls too
Enter        what is said at the foot: unfold a term, open a process ...
/            show only lines with what you type; in lists queue>10, name~shop
<  >  R      sort by the column before, by the next one, the other way round
:            the command line: all commands of GDB; Tab completes; Esc leaves
b            set a breakpoint on a function: beam-break shop:price/1; it may
             have a condition: beam-break shop:price/1 if $_streq(...)
i            one with a condition on the line of the source where one is
Delete       remove the breakpoint where one is
c            continue, or begin; a node runs on, and is shown as it was
n  s  f      to the next Erlang line, over calls or into them; out of one
m            run until the process where one is, or that is shown, goes on in
             its receive: a message has come, or the time is up
u  d         select the calling frame, the called one;  r  ask all again
Ctrl-C       stop the program, or end what GDB is asked; else clear the line
R            after GDB has ended, or without a program: start it again
q            quit: a node that you have attached to goes on as before;  ?  this"""


@dataclass(frozen=True)
class Choice:
    """What is asked before something is done: a text, and for each key what it does."""

    text: str
    keys: Mapping[str, Callable[[], None]]


class Screen:
    """What one sees of a target, and does with it."""

    def __init__(self, target: Target, first: str = "Source") -> None:
        self._target = target
        self._model = Model(target, self._changed)
        self._chosen = first
        self._looks = {pane.name: Looks(pane.sorted) for pane in PANES}
        self._process: str | None = None
        self._table: str | None = None
        self._unfolded: set[str] = set()
        self._followed: dict[str, list[int]] = {}
        self._shown: dict[str, list[Line]] = {}
        self._heads: dict[str, Line | None] = {}
        self._questions: dict[str, list[str]] = {}
        self._choice: Choice | None = None
        self._has_help = False
        self._last = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._controls = {pane.name: self._control(pane.name) for pane in PANES}
        self._controls[CONSOLE] = ListControl(self._console, lambda _: None)
        self._containers = {name: self._container(name) for name in self._controls}
        self._command = Buffer(
            name="command", completer=Commands(lambda: self._model), auto_suggest=AutoSuggestFromHistory(),
            history=history(), accept_handler=self._entered, multiline=False,
        )  # fmt: skip
        self._filter = Buffer(name="filter", multiline=False, on_text_changed=lambda _: self._filter_changed())
        self._app: Application[None] = Application(
            Layout(self._root(), focused_element=self._controls[first]), key_bindings=self._keys(), style=STYLE,
            full_screen=True, mouse_support=True, before_render=lambda _: self._prepare(),
            color_depth=colours(), min_redraw_interval=REDRAWN,
        )  # fmt: skip
        self._app.ttimeoutlen = self._app.timeoutlen = 0.1

    async def run(self) -> None:
        """Until the user quits. Raises OSError where GDB cannot be started."""
        await self._model.start()
        try:
            await self._app.run_async()
        finally:
            await self._end()

    async def _end(self) -> None:
        """Have GDB end, and say so where one waits for that."""
        end = asyncio.create_task(self._model.end(kill=self._target.is_started))
        if not (await asyncio.wait((end,), timeout=HASTE))[0]:
            print(f"beamgdb: waiting for GDB to let go of {self._target.label} ...", file=sys.stderr)
        await end

    def _changed(self) -> None:
        self._app.invalidate()

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _visible(self) -> list[list[str]]:
        size = get_app().output.get_size()
        if self._chosen == CONSOLE:
            return [[CONSOLE]]
        return arrangement(size.columns, size.rows, self._chosen)

    def _prepare(self) -> None:
        """Make the lines of all panes that are seen, and have what they need asked, that of the chosen one first."""
        seen = [name for column in self._visible() for name in column if name != CONSOLE]
        for pane in PANES:
            if pane.name in seen:
                self._make(pane)
        seen.sort(key=lambda name: name != self._chosen)
        self._model.want(dict.fromkeys(one for name in seen for one in self._questions[name]))

    def _make(self, pane: Pane) -> None:
        questions: list[str] = []

        def ask(question: str) -> tuple[Any, list[Line]]:
            questions.append(question)
            answer = self._model.known(question)
            if answer is None:
                return None, [note(self._waiting())]
            return answer.value, [] if answer.error is None else [line(f"({answer.error})", "error")]

        looks = self._looks[pane.name]
        found = pane.lines(Asked(ask, looks, frozenset(self._unfolded), self._process, self._table))
        if looks.filter and pane.name not in SORTED:
            found = [one for one in found if looks.filter.lower() in one.text.lower() or one.is_current or one.is_head]
        self._questions[pane.name] = questions
        before, self._shown[pane.name] = self._shown.get(pane.name, []), [one for one in found if not one.is_head]
        self._heads[pane.name] = next((one for one in found if one.is_head), None)
        self._controls[pane.name].keep(before)
        self._follow(pane.name, self._shown[pane.name])

    def _follow(self, name: str, found: list[Line]) -> None:
        """Go to the current line when it is another one."""
        answers = [self._model.known(question) for question in self._questions[name][:1]]
        numbers = [answer.number for answer in answers if answer is not None and self._model.is_fresh(answer)]
        if not numbers or self._followed.get(name) == numbers:
            return
        self._followed[name] = numbers
        current = next((number for number, one in enumerate(found) if one.is_current), None)
        if current is not None:
            self._controls[name].at = current

    def _is_fresh(self, question: str) -> bool:
        return self._model.is_fresh(self._model.known(question))

    def _waiting(self) -> str:
        if self._model.state == RUNNING:
            return "(the program runs, and this was not asked before: Ctrl-C stops it)"
        if self._model.state == ENDED:
            return "(not known: GDB has ended)"
        if self._model.state == STARTING:
            ends = "" if self._target.is_live and not self._target.is_started else "Ctrl-C ends that, "
            return f"(GDB starts, and reads what it is to show: {ends}q quits)"
        return f"(waiting for GDB{': ' + self._model.progress if self._model.progress else ''} ...)"

    def _console(self) -> list[Line]:
        """What GDB has said; one who does not read it sees the end."""
        lines = list(map(line, [*self._model.log, *filter(None, [self._model.unended])]))
        if self._focused() != CONSOLE:
            self._controls[CONSOLE].at = len(lines) - 1
        return lines

    def _title(self, name: str) -> StyleAndTextTuples:
        is_focused = self._app.layout.current_control is self._controls[name]
        style = "class:title-focused" if is_focused else "class:title"
        if name == CONSOLE:
            more = "wants more lines, up to `end`" if self._model.wants_more else self._model.progress
            doing = STATES[STARTING] if self._model.state == STARTING else self._model.asked
            asked = f" {shortened(doing, self._columns() // 2)} ... {more}" if doing else ""
            return self._rule(name, [(style, " 0 Console "), ("class:dim", asked)])
        pane, looks = next(one for one in PANES if one.name == name), self._looks[name]
        parts: StyleAndTextTuples = [(style, f" {pane.key} {pane.name} ")]
        if looks.filter:
            parts.append(("class:name", f" /{looks.filter} "))
        if not all(map(self._is_fresh, self._questions.get(name, ()))) and (why_old := self._why_old(name)):
            parts.append(("class:old", f" {why_old} "))
        return self._rule(name, parts)

    def _rule(self, name: str, parts: StyleAndTextTuples) -> StyleAndTextTuples:
        """A title as the line that parts a pane from what is above."""
        return [("class:dim", "──"), *parts, ("class:dim", " " + "─" * self._columns())]

    def _why_old(self, name: str) -> str:
        if self._model.state == RUNNING:
            return "as of the last stop" if any(map(self._model.known, self._questions[name])) else ""
        if self._model.state == ENDED:
            return "as it was: GDB has ended"
        is_asked = self._model.asked in self._questions.get(name, ())
        return f"waiting for GDB {self._model.progress if is_asked else ''}"

    def _header(self) -> StyleAndTextTuples:
        model = self._model
        state = STATES[model.state] if self._target.is_live or model.state != STOPPED else "core file"
        words = ": ".join(filter(None, (state, self._where() if model.state != RUNNING else "")))
        if model.state == ENDED and model.pid is not None:
            words += f"; {state_of(model.pid)}"
        again = "R: again; " if self._can_start() else "c: begin; " if self._can_run() else ""
        room = self._columns() - get_cwidth(f" beamgdb     {again}{words} ")
        least = self._columns() // (8 if model.state == ENDED else 3)
        label = shortened(self._target.label, max(room, least))
        text = shortened(f" beamgdb  {label}   {again}{words} ", self._columns())
        return [("class:bar", filled(text, self._columns()))]

    def _where(self) -> str:
        """Why and where a program has stopped, with the function that is interpreted once that is known."""
        answer, where = self._model.known(PLACE), self._model.where
        if answer is None or not self._model.is_fresh(answer) or answer.value is None or not answer.value["function"]:
            return where
        return where.replace(INTERPRETER, f"in {harmless(answer.value['function'])}")

    def _can_start(self) -> bool:
        """Whether GDB can be started again: it has ended, or has no program."""
        return self._model.state == ENDED or (self._model.state == GONE and not self._target.is_started)

    def _can_run(self) -> bool:
        """Whether GDB has a program that it can begin."""
        return self._model.state == GONE and self._target.can_begin

    def _columns(self) -> int:
        return get_app().output.get_size().columns

    def _footer(self) -> StyleAndTextTuples:
        if self._choice is not None:
            parts = [(0, "y yes  n no  Esc no")]
        elif self._app.layout.has_focus(self._command):
            ends = "`end` ends it  ^C gives it up" if self._model.wants_more else "Tab completes"
            parts = [
                (0, "Enter runs it"),
                (1, ends),
                (3, "↑ ↓ history"),
                (4, "→ takes the suggestion"),
                (2, "Esc leaves"),
            ]
        elif self._is_filtering:
            parts = [(0, "Enter keeps it"), (1, "Esc shows all")]
        elif self._has_help:
            parts = [(0, "? or Esc leaves this")]
        else:
            pane = next((one for one in PANES if one.name == self._focused()), None)
            own = [(1, keys)] if pane is not None and (keys := self._own_keys(pane)) else []
            is_list = pane is not None and pane.name in SORTED
            sorting = [(5, "< > R sort")] if is_list else []
            find, run = (4, 6) if is_list else (6, 4)
            running = [(run, "c n s f run"), (3, "^C stop")] if self._target.is_live else []
            parts = [
                (0, "? keys"), (2, ": command"), *own, (find, "/ find"), *sorting, *running, (0, "q quit")
            ]  # fmt: skip
        return [("class:bar", filled(f" {fitted(parts, self._columns() - 2)}", self._columns()))]

    def _own_keys(self, pane: Pane) -> str:
        """What keys do in a pane: what they are for in its lines, or in the one that is there in place of those."""
        line = self._controls[pane.name].line
        deed = line.deed.value if line is not None and line.deed is not None and line.deed.what == "command" else ""
        if ADVISED.fullmatch(deed):
            return f"Enter: {deed}"
        return "  ".join(filter(None, (pane.help, pane.live_help if self._target.is_live else "")))

    def _focused(self) -> str | None:
        current = self._app.layout.current_control
        return next((name for name, control in self._controls.items() if control is current), None)

    # -- layout --------------------------------------------------------------------------------------------------------

    def _control(self, name: str) -> ListControl:
        return ListControl(lambda: self._shown.get(name, []), self._do)

    def _container(self, name: str) -> HSplit:
        title = FormattedTextControl(lambda: self._title(name))
        head = Window(FormattedTextControl(lambda: self._head(name)), height=1)
        return HSplit([
            Window(title, height=1),
            ConditionalContainer(head, Condition(lambda: self._heads.get(name) is not None)),
            Window(self._controls[name], scroll_offsets=MARGIN),
        ])  # fmt: skip

    def _head(self, name: str) -> StyleAndTextTuples:
        """The heading of a list, which stays above it."""
        head = self._heads.get(name)
        return self._controls[name].shifted(head) if head is not None else []

    def _root(self) -> FloatContainer:
        def body() -> AnyContainer:
            if self._has_help:
                return Window(FormattedTextControl(HELP))
            columns = [HSplit([self._containers[name] for name in column]) for column in self._visible()]
            return VSplit([*columns], padding=1, padding_char="│") if len(columns) > 1 else columns[0]

        command = Window(
            BufferControl(self._command, input_processors=[BeforeInput(self._prompt), AppendAutoSuggestion()]), height=1
        )
        filtered = Window(BufferControl(self._filter, input_processors=[BeforeInput("/")]), height=1)
        choice = Window(FormattedTextControl(lambda: [("bold", self._choice.text if self._choice else "")]), height=1)
        console = ConditionalContainer(
            HSplit([self._containers[CONSOLE]], height=lambda: 4 if get_app().output.get_size().rows < 36 else 8),
            Condition(lambda: self._chosen != CONSOLE and not self._has_help),
        )
        chosen = Condition(lambda: self._choice is not None)
        filtering = Condition(lambda: self._is_filtering)
        lines = HSplit([
            Window(FormattedTextControl(self._header), height=1),
            DynamicContainer(body),
            console,
            ConditionalContainer(choice, chosen),
            ConditionalContainer(filtered, filtering & ~chosen),
            ConditionalContainer(command, ~filtering & ~chosen),
            Window(FormattedTextControl(self._footer), height=1),
        ])  # fmt: skip
        return FloatContainer(lines, [Float(CompletionsMenu(max_height=10), xcursor=True, ycursor=True)])

    def _prompt(self) -> str:
        return "> " if self._model.wants_more else "(gdb) "

    # -- what is done --------------------------------------------------------------------------------------------------

    def _do(self, chosen: Line) -> None:
        """What a line is for."""
        deed = chosen.deed
        if deed is None:
            return
        if deed.what == "command":
            self._model.do(deed.value)
        elif deed.what == "process":
            self._process = deed.value
            self._show("Process")
        elif deed.what == "table":
            self._table, self._looks["ETS"].filter = deed.value or None, ""
            self._anew("ETS", 1 if self._table else 0)  # behind the way back
        else:
            self._unfolded ^= {deed.value}

    def _show_pane(self, name: str) -> None:
        """Do as its key says; that of one process, where it is shown, shows that of the selected thread again."""
        if name == "Process" == self._focused():
            self._process = None
            self._anew(name)
        self._show(name)

    def _show(self, name: str) -> None:
        """Have a pane on the screen, and be in it."""
        self._has_help = False
        self._chosen = name
        self._app.layout.current_control = self._controls[name]

    def _next(self, by: int) -> None:
        """Be in the next pane of those on the screen; the console is the last one."""
        seen = [name for column in self._visible() for name in column]
        seen += [CONSOLE] if CONSOLE not in seen else []
        at = seen.index(self._focused() or seen[0])
        name = seen[(at + by) % len(seen)]
        if name != CONSOLE and len(seen) > 2:
            self._chosen = name
        self._app.layout.current_control = self._controls[name]

    def _entered(self, buffer: Buffer) -> bool:
        command, *lines = buffer.text.splitlines() or [""]
        if self._model.takes_lines:
            given = [command, *lines]
            stripped = [one.strip() for one in given]
            taken = stripped.index("end") + 1 if "end" in stripped else len(given)
            self._do_if_meant(partial(self._model.more, *given), given[taken if self._model.wants_more else 0 :])
            return False
        command = command.strip() or self._last
        shows = GOES_ON.match(command)
        self._last = shows[1] if shows else command if REPEATED.match(command) else ""
        if asked_first.quits(command):
            self._quit()
        elif command:
            self._do_if_meant(partial(self._model.do, command, *lines), [command, *lines])
        return False

    def _do_if_meant(self, do: Callable[[], None], commands: Sequence[str]) -> None:
        """Do what a user has typed or pasted; the first of these commands that is to be asked, is."""
        for command in commands if self._target.is_live and self._model.takes_commands else ():
            does = self._asked_first(command, is_alone=len(commands) == 1)
            if does is not None:
                self._choose(f"`{shortened(command.strip(), 20)}` {does}.", do)
                return
        do()

    def _asked_first(self, command: str, *, is_alone: bool) -> str | None:
        """What a command does that is to be asked first, None where it is not."""
        if self._target.is_started and asked_first.detaches(command):
            return "lets it go; what it prints goes nowhere, and with this screen it ends"
        none_yet = (GONE, STARTING) if self._target.is_started else (GONE,)
        is_there = not is_alone or self._model.state not in none_yet  # one that stands before it may begin a program
        return asked_first.does(command) if is_there else None

    def _filter_changed(self) -> None:
        self._looks[self._chosen].filter = self._filter.text
        self._anew(self._chosen)

    def _anew(self, name: str, at: int = 0) -> None:
        """Other lines are to be shown: be at one of the first, whatever that is."""
        self._shown[name], self._controls[name].at = [], at

    def _sort(self, by: int) -> None:
        columns = SORTED.get(self._focused() or "")
        if columns is not None:
            looks = self._looks[self._focused() or ""]
            keys = [one.key for one in columns]
            at = keys.index(looks.sort) + by if looks.sort in keys else 0
            looks.sort, looks.reverse = keys[at % len(keys)], False
            self._anew(self._focused() or "")

    def _quit(self) -> None:
        if not self._target.is_live or self._model.state in (ENDED, GONE, STARTING):
            self._app.exit()
        elif self._target.is_started:
            self._choose("Quit? The node ends with it.", self._app.exit)
        else:
            self._choose("Quit? The node goes on as before.", self._app.exit)

    def _choose(self, text: str, act: Callable[[], None]) -> None:
        self._choice = Choice(text, {"y": act, "n": lambda: None})

    def _again(self) -> None:
        """Start GDB anew."""
        if self._can_start():
            log = self._model.log
            self._in_background(self._model.end(kill=False))
            self._model = Model(self._target, self._changed)
            self._model.log.extend(log)
            self._in_background(self._started(self._model))

    async def _started(self, model: Model) -> None:
        try:
            await model.start()
        except OSError as error:
            model.state, model.where = ENDED, harmless(f"GDB cannot be started: {error.strerror or error}")
            self._changed()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- keys ----------------------------------------------------------------------------------------------------------

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        asked = Condition(lambda: self._choice is not None)
        in_command = has_focus("command") & ~asked
        in_filter = has_focus("filter") & ~asked
        elsewhere = ~has_focus("command") & ~has_focus("filter") & ~asked
        helped = Condition(lambda: self._has_help)
        in_panes = elsewhere & ~helped  # nothing is done to what is not seen

        def bind(names: str, act: Callable[[], object], where: Any = in_panes) -> None:
            for name in names.split():
                keys.add(name, filter=where)(lambda event: (act(), None)[1])

        for pane in PANES:
            bind(pane.key, lambda name=pane.name: self._show_pane(name), elsewhere)  # type: ignore[misc]
        bind("0", lambda: self._show(CONSOLE), elsewhere)
        bind("tab", lambda: self._next(1))
        bind("s-tab", lambda: self._next(-1))
        for names, by in (("up k", -1), ("down j", 1), ("home g", -(1 << 40)), ("end G", 1 << 40)):
            bind(names, lambda by=by: self._move(by))  # type: ignore[misc]
        bind("pageup c-b", lambda: self._move(1 - self._height()))
        bind("pagedown c-f space", lambda: self._move(self._height() - 1))
        bind("left h", lambda: self._shift(-1))
        bind("right l", lambda: self._shift(1))
        bind("enter", lambda: self._here(ListControl.choose))
        bind("delete", self._delete)
        bind("/", self._begin_filter)
        bind("<", lambda: self._sort(-1))
        bind(">", lambda: self._sort(1))
        bind("R", lambda: self._again() if self._can_start() else self._turn())
        bind(":", lambda: self._type(""), elsewhere)
        bind("b", lambda: self._type("beam-break "), elsewhere)
        bind("c", lambda: self._model.do("run" if self._can_run() else "continue"))
        commands = {"n": "beam-next", "s": "beam-step", "f": "beam-finish", "u": "up", "d": "down"}
        for name, command in commands.items():
            bind(name, lambda command=command: self._model.do(command))  # type: ignore[misc]
        bind("i", self._type_condition)
        bind("m", self._await_message)
        bind("r", lambda: self._model.refresh())
        bind("?", self._help, elsewhere)
        bind("q", lambda: self._help() if self._has_help else self._quit(), elsewhere)
        bind("escape", self._leave, elsewhere)
        bind("c-c", self._interrupt, ~asked)
        bind("escape", self._leave, in_command | in_filter)
        bind("enter", self._leave_filter, in_filter)

        for name in BEHIND_ESCAPE:
            keys.add("escape", name, filter=in_command | in_filter)(self._leave_for)

        @keys.add("<any>", filter=asked, eager=True)
        def _(event: KeyPressEvent) -> None:
            assert self._choice is not None
            act = self._choice.keys.get(event.data)
            if act is not None or event.data in ("\x1b", "\x03"):
                self._choice = None
                (act or (lambda: None))()

        return keys

    @property
    def _is_filtering(self) -> bool:
        """Whether what is typed is looked for; a click elsewhere ends that."""
        return self._app.layout.has_focus(self._filter)

    def _here(self, act: Callable[[ListControl], None]) -> None:
        name = self._focused()
        if name is not None:
            act(self._controls[name])

    def _move(self, by: int) -> None:
        self._here(lambda control: control.move(by))

    def _shift(self, steps: int) -> None:
        self._here(lambda control: control.shift(steps))

    def _height(self) -> int:
        name = self._focused()
        return self._controls[name].height if name is not None else 1

    def _delete(self) -> None:
        def deleted(control: ListControl) -> None:
            if control.line is not None and control.line.deletes is not None:
                self._model.do(control.line.deletes)

        self._here(deleted)

    def _type_condition(self) -> None:
        """Type a breakpoint on the line where one is, up to its condition."""
        line = self._controls[self._focused() or CONSOLE].line
        command = line.deed.value if line is not None and line.deed is not None else ""
        self._type(f"{command} if " if command.startswith("beam-break ") else "beam-break ")

    def _await_message(self) -> None:
        """Run until the process where one is, or which the pane is about, goes on in its receive."""
        name = self._focused() or ""
        lines = [self._controls[name].line, *self._shown.get(name, [])[:1]] if name in self._controls else []
        deeds = [line.deed for line in lines if line is not None and line.deed is not None]
        pid = next((deed.value for deed in deeds if deed.what == "process"), None)
        if pid is not None:
            self._model.do(f"beam-receive {pid}")
        else:
            self._model.note("m is for a process: one of the list (5), or that which is shown (3, 6)")

    def _interrupt(self) -> None:
        """Forget what is looked for; else stop the program, or end what GDB is asked; else forget the command."""
        if self._is_filtering:
            self._leave()
        elif self._model.is_busy:
            self._model.interrupt()
        else:
            self._command.reset()

    def _turn(self) -> None:
        name = self._focused() or ""
        if name in SORTED:
            self._looks[name].reverse = not self._looks[name].reverse
            self._anew(name)

    def _begin_filter(self) -> None:
        name = self._focused()
        if name in self._looks:
            self._chosen = name
            self._filter.text = self._looks[name].filter
            self._filter.cursor_position = len(self._filter.text)
            self._app.layout.focus(self._filter)

    def _leave_filter(self) -> None:
        self._app.layout.current_control = self._controls[self._chosen]

    def _type(self, text: str) -> None:
        """Go to the command line, where so much is typed already."""
        self._has_help = False
        self._command.text = text
        self._command.cursor_position = len(text)
        self._app.layout.focus(self._command)

    def _leave(self) -> None:
        if self._is_filtering:
            self._filter.text = ""
            self._leave_filter()
        elif self._focused() is None:
            self._command.reset()
            self._app.layout.current_control = self._controls[self._chosen]
        self._has_help = False

    def _leave_for(self, event: KeyPressEvent) -> None:
        """Leave the command line, and take the key that came right behind Escape as one that is pressed then."""
        self._leave()
        event.key_processor.feed(event.key_sequence[-1], first=True)

    def _help(self) -> None:
        self._has_help = not self._has_help
