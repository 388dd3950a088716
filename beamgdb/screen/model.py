"""What is known of a target, and what is being asked. All is asked in the background, one question after the other."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from beamgdb.late import dataclass
from beamgdb.screen.asked_first import attaches
from beamgdb.screen.connection import Connection, Ended, Happened, Reply
from beamgdb.screen.targets import Target, go_on, stands_still, tracer_of
from jit.system.controls import harmless

STARTING, STOPPED, RUNNING, GONE, ENDED = "starting", "stopped", "running", "gone", "ended"
"""What a target does: GDB starts; it stands still, as a core file always does; it runs; there is none any more; GDB has
ended."""

NOT_NOW: Final = "GDB takes hold of the program, and Ctrl-C would go on to that: wait, or q quits"

PROGRESS_ON: Final = "set beam-progress on"

RUNS: Final = "the program runs: Ctrl-C stops it\n"

LOGGED: Final = 5000
LONGEST_LINE: Final = 4000
"""Lines of the console that are kept, and characters of each."""

TERMINAL: Final = re.compile(
    r"(?P<shell>shell|!)\s*$|(?P<python>python-interactive|pi)\s*$|(?P<guile>guile-repl|gr)\s*$|(?P<edit>edit|e)(?:\s|$)"
)
INSTEAD: Final = {
    "shell": "`shell COMMAND` runs one command", "python": "`python` takes lines up to `end`",
    "guile": "`guile` takes lines up to `end`", "edit": "`list` shows the lines",
}  # fmt: skip
"""Commands that want a terminal of their own, which GDB has not here, and what to do instead."""

OF_CODE: Final = re.compile(r"(py|python|gu|guile)\s*$|doc\w*\s")
OF_LINES: Final = re.compile(rf"{OF_CODE.pattern}|define\s|comm\w*(\s|$)|(if|while)[\s(]")
"""Commands of several lines; in the first ones nothing but `end` is one of GDB."""

OF_A_STEP: Final = re.compile(r"Thread .* hit Breakpoint -[0-9].*?(?P<place> at .+:[0-9]+)?$")
"""What GDB says where a step has ended, at a breakpoint that nobody has set. Where that has a place, the line of source
behind it is GDB's own, and the step tells it too, later."""

SOURCE_LINE: Final = re.compile(r"[0-9]+\t")
BORING: Final = re.compile(r"\[New (LWP|Thread) |\[Thread .* exited\]")
"""What GDB says of each thread."""

LOOKING: Final = re.compile(
    r"(help|info|show|list|l|bt|backtrace|where|eterm|[xyf]reg|echo|beam(-(?!(break|step|next|finish|receive)(\s|$))\S+)?)(\s|$)"
)
NOTHING: Final = re.compile("(?!)")
"""Commands that change nothing of what is known, and the questions about that."""

EVALUATING: Final = re.compile(r"[(=]|\bapply\b")
"""What may call a function or assign, in whatever command."""

SELECTING: Final = re.compile(r"(thread|t|frame|f|up|down|select-frame)(\s[^.]*)?$")
OF_SELECTION: Final = re.compile(r"beam-(context|why|process -json( -limit \d+)?$|disas -json$|bt -json$)")
"""Commands that select a thread or frame (of the same inferior: another one's number has a dot), and questions that are
about what is selected."""

STEPPED: Final = ("end-stepping-range", "function-finished", "")
"""Why the program has stopped where a step has ended; those of Erlang end at breakpoints that nobody has set."""

STEPPING: Final = re.compile(r"(beam-(next|step|finish)|n|next|s|step|ni|nexti|si|stepi|fin|finish|u|until)(\s|$)")
"""Commands that run the program a little: what is typed meanwhile is for where that ends."""

AHEAD: Final = 10
"""Commands that wait, for such an end or for another one: more come of a key that is held down."""

BREAKING: Final = re.compile(r"(beam-break|break|b|tbreak|delete|d|disable|enable|ignore|condition)(\s|$)")
OF_BREAKPOINTS: Final = re.compile("beam-breakpoints")
"""The same for breakpoints."""

IMPATIENCE: Final = 1.0
"""Seconds after which a question is given up for a command that a user has typed meanwhile, or for other panes."""

KEPT: Final = 200
"""Answers that are kept."""


@dataclass(frozen=True)
class Answer:
    """An answer to a question: a value in JSON, or why there is none; `number`: how many there were before. `moment`:
    see `Model`; it is negative once the answer may not hold any more."""

    value: Any
    error: str | None
    moment: int
    number: int


def value(text: str) -> tuple[Any, str]:
    """The value in JSON that an answer has, and what was said before it. Raises ValueError."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        if text[at] in "[{":
            try:
                return decoder.raw_decode(text, at)[0], text[:at]
            except ValueError:
                pass
        at = text.find("\n", at) + 1 or len(text)
    raise ValueError("GDB has given no answer that is JSON")


def outdated(command: str) -> re.Pattern[str] | None:
    """Which questions have other answers after a command that a user has typed; None: all."""
    if EVALUATING.search(command):
        return None
    if LOOKING.match(command):
        return NOTHING
    return OF_SELECTION if SELECTING.match(command) else OF_BREAKPOINTS if BREAKING.match(command) else None


def is_open(lines: Sequence[str]) -> bool:
    """Whether a command with lines that were typed for it wants further ones."""
    if not OF_LINES.match(lines[0]):
        return False
    depth, is_code = 1, OF_CODE.match(lines[0]) is not None
    for line in lines[1:]:
        depth += -1 if line.strip() == "end" else 1 if not is_code and OF_LINES.match(line.strip()) else 0
    return depth > 0


class Model:
    """A target in a GDB. A `moment` begins whenever all may have changed: the program has stopped, or a command was
    given that may change it. Answers of an earlier one are kept until there are new ones. `changed` is called when
    there is something new."""

    def __init__(self, target: Target, changed: Callable[[], None]) -> None:
        self.target = target
        self._changed = changed
        self._connection = Connection(self._on)
        self._wake = asyncio.Event()
        self._commands: deque[tuple[str, ...]] = deque()
        self._lines: deque[str] = deque()
        self._wanted: list[str] = []
        self._answers: dict[str, Answer] = {}
        self._noted: dict[str, str] = {}
        self._count = 0
        self._asked_since = 0.0
        self._is_question = self._is_dropped = self._is_stepping = self._is_at_step = False
        self._programs: set[str] = set()
        self._begun = ""
        self._stood_still = False
        self._task: asyncio.Task[None] | None = None
        self.state = STARTING
        self.moment = 0
        self.pid = target.pid
        """The process of the program, if it runs here."""
        self.where = ""
        """Where the program stands, in words."""
        self.asked: str | None = None
        """The question or command that GDB is at."""
        self.wants_more = False
        """That command, as `define`, goes on: `more` gives its next line."""
        self.progress = ""
        self.log: deque[str] = deque(maxlen=LOGGED)
        """Lines of the console."""
        self.unended = ""
        """The beginning of the next one."""

    async def start(self) -> None:
        """Start GDB. Raises OSError."""
        self._stood_still = self.target.pid is not None and stands_still(self.target.pid)
        await self._connection.start(self.target.command, self.target.environment)
        self._task = asyncio.create_task(self._work())
        self._task.add_done_callback(self._worked)
        self._wake.set()

    async def end(self, *, kill: bool) -> None:
        """End GDB: it lets go of a node that it was attached to, and of one that it has started too, unless `kill`.
        While it starts it is not waited for, unless it attaches."""
        if self._task is not None:
            self._task.cancel()
        is_busy = self.state == STARTING and not self._is_attaching
        if (self.asked is not None or self.state == RUNNING) and self.state != STARTING and not self._is_attaching:
            self._connection.interrupt()
        if self.target.is_live and not kill and self.state in (STOPPED, RUNNING):
            try:
                await asyncio.wait_for(self._connection.ask("detach"), 10)
            except (Ended, asyncio.TimeoutError):
                pass
        await self._connection.end(has_target=self.target.is_live, is_busy=is_busy)
        if self.target.pid is not None and not self._stood_still:
            go_on(self.target.pid)  # one that GDB was ended at while it attached

    @property
    def _is_attaching(self) -> bool:
        """Whether GDB may be at taking hold of a program that it has not started: it hands SIGINT on to that, which a
        node takes for the end."""
        if self.state == STARTING:
            return self.target.is_live and not self.target.is_started
        return attaches(self.asked or "")

    @property
    def is_busy(self) -> bool:
        """Whether there is something to interrupt."""
        return self.state in (STARTING, RUNNING) or self.asked is not None

    @property
    def takes_commands(self) -> bool:
        """Whether a command that is given now is done, at once or when what is at work is."""
        return self.state in (STARTING, STOPPED, GONE) or (self.state == RUNNING and self._is_stepping)

    # -- asking --------------------------------------------------------------------------------------------------------

    def known(self, question: str) -> Answer | None:
        """The last answer to a question."""
        return self._answers.get(question)

    def want(self, questions: Iterable[str]) -> None:
        """Have these answered, in this order, as long as no others are wanted."""
        self._wanted = list(questions)
        if self.asked not in self._wanted:
            self._drop()
        if self._next() is not None:
            self._wake.set()

    def is_fresh(self, answer: Answer | None) -> bool:
        """Whether an answer is of this moment."""
        return answer is not None and answer.moment == self.moment

    @property
    def takes_lines(self) -> bool:
        """Whether lines that are given now are of the command that GDB is at, by its prompt, or by what it is."""
        return self.wants_more or (not self._commands and OF_LINES.match(self.asked or "") is not None)

    def do(self, command: str, *lines: str) -> None:
        """Give a command that a user has typed, and lines that were pasted with it: of the command, if it wants some,
        or further commands."""
        self._say(f"(gdb) {command}\n")
        if self._commands and is_open(self._commands[-1]):
            self._commands[-1] += (command, *lines)
            self._changed()
            return
        terminal = TERMINAL.match(command)
        if self.state == ENDED:
            self._say("GDB has ended: R starts it again\n")
        elif not self.takes_commands:
            self._say(RUNS)
        elif terminal is not None:
            self._say(f"{command.split()[0]} wants a terminal of its own: {INSTEAD[terminal.lastgroup or '']}\n")
        else:
            if len(self._commands) < AHEAD or lines:
                self._commands.append((command, *lines))
            else:
                self._say(f"{AHEAD} commands wait already: this one is dropped\n")
            self._drop()
            self._wake.set()
        self._changed()

    def _drop(self) -> None:
        """Give up the question that is asked, if it takes long."""
        if self._is_question and not self._is_dropped and time.monotonic() - self._asked_since > IMPATIENCE:
            self._is_dropped = True
            self._connection.interrupt()

    def note(self, text: str) -> None:
        """Have a line in the console that GDB has not said."""
        self._say(text + "\n")
        self._changed()

    def more(self, *lines: str) -> None:
        """Give the lines that the command wants."""
        self._lines.extend(lines)
        self._go_on()
        self._changed()

    def _go_on(self) -> None:
        if self.wants_more and self._lines:
            self.wants_more = False
            line = self._lines.popleft()
            self._say(f"> {line}\n")
            self._connection.more(line)

    def interrupt(self) -> None:
        """Stop the program, or end what GDB is asked."""
        self._commands.clear()
        self._lines.clear()
        if self._is_attaching:
            self._say(f"{NOT_NOW}\n")
            self._changed()
        elif self.wants_more:
            self._connection.give_up()
        else:
            self._connection.interrupt()

    def refresh(self) -> None:
        """Ask all again."""
        self.moment += 1
        self._wake.set()
        self._changed()

    async def completed(self, text: str) -> list[str]:
        """What a command line that begins so may become."""
        if self.state not in (STOPPED, GONE) or self.asked is not None:
            return []
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        try:
            reply = await self._connection.ask_mi(f'-complete "{quoted}"')
        except Ended:
            return []
        return [str(one) for one in reply.results.get("matches", ())]

    # -- in the background ---------------------------------------------------------------------------------------------

    def _next(self) -> str | None:
        """The question that is to be asked next."""
        if self.state not in (STOPPED, GONE):
            return None
        return next((one for one in self._wanted if not self.is_fresh(self.known(one))), None)

    async def _work(self) -> None:
        try:
            if (await self._ask(PROGRESS_ON, is_told=True)).error is not None and self.target.loader is not None:
                # Ctrl-C has ended the loading too.
                await self._ask(f"source {self.target.loader}", is_told=True)
                await self._ask(PROGRESS_ON, is_told=True)
            await self._stand()
            while True:
                self._changed()
                await self._wake.wait()
                self._wake.clear()
                while (self._commands and self.state != RUNNING) or self._next() is not None:
                    if self._commands:
                        await self._run(*self._commands.popleft())
                    elif (question := self._next()) is not None:
                        await self._answer(question)
        except Ended:
            pass  # which has been told

    def _worked(self, task: asyncio.Task[None]) -> None:
        """Nothing is asked any more."""
        error = task.exception() if not task.cancelled() else None
        if error is not None:
            self.where = f"internal error, {type(error).__name__}: {harmless(str(error))}"
            self._changed()

    async def _stand(self) -> None:
        """Learn what the target does at first."""
        reply = await self._connection.ask_mi("-thread-info")
        threads = {str(one.get("id")): one for one in reply.results.get("threads", ())}
        current = threads.get(str(reply.results.get("current-thread-id")), {})
        if self.state == STARTING:
            self.state = RUNNING if current.get("state") == "running" else STOPPED if threads else GONE
            frame = {"frame": current.get("frame"), "thread-id": current.get("id")}
            self.where = harmless(_in_words("", frame)) if threads else self._nothing()
        self.moment += 1

    def _nothing(self) -> str:
        """Why there is no program at first, in words."""
        if self.target.is_started:
            return "the program has not begun"
        if self.target.is_live and self.target.pid is None:
            return "GDB has no program that runs"
        return "GDB has not taken it: see the console"

    async def _ask(self, command: str, *, is_told: bool = False) -> Reply:
        self.asked, self.progress, self._asked_since = command, "", time.monotonic()
        self._changed()
        try:
            return await self._connection.ask(command, is_told=is_told)
        finally:
            self.asked, self.progress, self.wants_more = None, "", False

    async def _run(self, command: str, *lines: str) -> None:
        self._lines.extend(lines)
        self._is_stepping = STEPPING.match(command) is not None
        reply = await self._ask(command, is_told=True)
        if self.state != RUNNING:
            self._commands.extendleft((line,) for line in reversed(self._lines) if line.strip())
        self._lines.clear()
        if self.unended:
            self._say("\n")
        if reply.error is not None and not self._has_said(reply.error):
            self._say(reply.error + "\n")
        self._forget(command)
        self._changed()

    def _forget(self, command: str) -> None:
        """What is known may not hold any more after a command."""
        old = outdated(command)
        if old is None:
            self.moment += 1
            return
        for question, answer in self._answers.items():
            if old.match(question):
                self._answers[question] = replace(answer, moment=-1)

    async def _answer(self, question: str) -> None:
        moment, self._is_question, self._is_dropped = self.moment, True, False
        try:
            reply = await self._ask(question)
        finally:
            self._is_question = False
        if self._is_dropped:
            return
        found, error = None, reply.error
        if error is None:
            try:
                found, before = value(reply.text)
                self._say(before)
                self._note(question, reply.notes)
            except ValueError as wrong:
                error = str(wrong)
        self._answers.pop(question, None)
        self._count += 1
        self._answers[question] = Answer(found, harmless(error) if error is not None else None, moment, self._count)
        for old in [one for one in self._answers if one not in self._wanted][: max(0, len(self._answers) - KEPT)]:
            del self._answers[old]
        self._changed()

    def _note(self, question: str, notes: str) -> None:
        """Say what GDB notes besides an answer, as what is damaged and not in it: not at each stop again."""
        if notes != self._noted.get(question, ""):
            self._say(notes)
        self._noted[question] = notes
        while len(self._noted) > KEPT:
            del self._noted[next(iter(self._noted))]

    # -- what GDB tells ------------------------------------------------------------------------------------------------

    def _on(self, happened: Happened) -> None:
        if happened.what == "text":
            self._say(happened.text)
        elif happened.what == "progress":
            self.progress = harmless(happened.text)
        elif happened.what == "more":
            self.wants_more = True
            self._go_on()
        elif happened.what == "begun":
            self._programs.add(happened.text)
            self._begun = str(happened.results.get("pid", ""))
            # That there is no program is not so any more.
            self._answers = {question: one for question, one in self._answers.items() if one.error is None}
        elif happened.what == "gone":
            self._gone(happened.text)
        elif happened.what in ("running", "stopped") and self.state == STARTING:
            # GDB takes hold of the node, which is no running of it; `_stand` tells how that ends.
            pass
        elif happened.what == "running":
            self.state = RUNNING
            self._know_process()
            if self._commands and not self._is_stepping:
                # What was typed for this stop is not for the next one.
                self._commands.clear()
                self._say(RUNS)
        elif happened.what == "stopped":
            self._stopped(happened.results)
        elif happened.what == "selected":
            if self.state == STOPPED and happened.results.get("frame"):
                self.where = harmless(_in_words("", {**happened.results, "thread-id": happened.results.get("id")}))
        else:
            self.state, self.where = ENDED, happened.text
        self._changed()

    def _know_process(self) -> None:
        """Know the process that GDB has started, which it debugs then; one behind a stub may have any number."""
        if self.target.is_started and self._begun.isdecimal() and tracer_of(int(self._begun)) == self._connection.pid:
            self.pid = int(self._begun)

    def _gone(self, program: str) -> None:
        """A program has ended, or was let go."""
        self._programs.discard(program)
        if not self._programs and self.state in (STOPPED, RUNNING):
            self.state, self.where = GONE, "there is no program any more"
            self.moment += 1
            self._wake.set()

    def _stopped(self, results: Mapping[str, Any]) -> None:
        self.moment += 1
        reason = str(results.get("reason", ""))
        is_of_step = str(results.get("bkptno")).startswith("-") or reason in STEPPED
        if self._is_stepping and self._commands and not is_of_step:
            self._commands.clear()
            self._say("(it has stopped for another reason: what was typed ahead is dropped)\n")
        self._is_stepping = False
        self._know_process()
        self.state = GONE if reason.startswith("exited") and not self._programs else STOPPED
        self.where = harmless(_in_words(reason, results))
        if self._programs and reason.startswith("exited"):
            self.where = "a program has ended, and another one is there"
        self._wake.set()

    def _say(self, text: str) -> None:
        """Lines of the console; what is no whole line waits for its end."""
        *lines, self.unended = (self.unended + text).split("\n")
        self.unended = self.unended[-LONGEST_LINE:]
        for line in lines:
            of_step = OF_A_STEP.match(line)
            is_told_later = of_step or (self._is_at_step and SOURCE_LINE.match(line))
            self._is_at_step = of_step is not None and of_step["place"] is not None
            if line.strip() and not is_told_later and not BORING.match(line):
                self.log.append(harmless(line.expandtabs()[:LONGEST_LINE]))

    def _has_said(self, error: str) -> bool:
        """Whether GDB has told of an error in the console too, as it mostly does."""
        lines = [harmless(line.expandtabs()[:LONGEST_LINE]) for line in error.splitlines() if line.strip()]
        last = list(self.log)[-len(lines) - 1 :]
        return not lines or any(lines[0] in line for line in last)


def _in_words(reason: str, results: Mapping[str, Any]) -> str:
    """Why and where a program has stopped."""
    frame = results.get("frame") or {}
    thread = f" (thread {results['thread-id']})" if "thread-id" in results else ""
    where = f"in {frame['func']}{thread}" if "func" in frame else f"at {frame['addr']}{thread}" if frame else ""
    if reason.startswith("exited"):
        return "the program has ended"
    why = ""
    if reason == "breakpoint-hit" and not str(results.get("bkptno", "-")).startswith("-"):
        why = f"breakpoint {results['bkptno']}, "
    elif reason == "signal-received":
        name = str(results.get("signal-name", ""))
        why = "interrupted, " if name in ("SIGINT", "0") else f"{name}, "
    return why + where
