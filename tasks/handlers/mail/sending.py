"""Sends a letter to many, at a pace: so that after any crash each recipient is sent, not sent or unknown."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from operator import attrgetter

from django.utils import timezone
from django.utils.translation import gettext as _

from tasks.context import Fail, Item, TaskContext
from tasks.handlers.mail.delivery import Courier, Outcome, Verdict
from tasks.handlers.mail.letter import Letter
from tasks.handlers.mail.recipients import Recipient
from tasks.masking import masked_text
from tasks.models import TaskItem


@dataclass(order=True)
class Postponed:
    """A recipient whom the server put off, and when to try again (monotonic seconds)."""

    due: float
    tries: int
    item: Item[Recipient] = field(compare=False)


@dataclass
class Sending:
    """`pause` is the time between two messages, `retry_after` that before a second try, doubled each time: seconds."""

    context: TaskContext
    courier: Courier
    letter: Letter
    pause: float = 0.0
    retries: int = 0
    retry_after: float = 0.0
    postponed: list[Postponed] = field(default_factory=list)
    next_turn: float = 0.0
    number: int = 0

    def run(self, recipients: Iterable[Recipient]) -> None:
        """Everybody once, then those who were put off. Raises Fail where the server takes nothing at all."""
        with closing(self.courier), self.context.on_interrupt(self.courier.hang_up):
            for item in self.context.items(recipients, key=attrgetter("key"), begin=False):
                self._say_how_far()
                self._send(item, tries=1)
            while self.postponed:
                self._try_again(heapq.heappop(self.postponed))

    def _say_how_far(self) -> None:
        records = self.context.records
        if not self.number:  # those of an earlier try count
            self.number = sum(record.state != TaskItem.State.PENDING for record in records)
        self.number += 1
        told = {"number": f"{self.number:,}", "total": f"{len(records):,}"}
        self.context.progress(None, _("Sending %(number)s of %(total)s") % told)

    def _try_again(self, postponed: Postponed) -> None:
        told = {"count": f"{len(self.postponed) + 1:,}"}
        self.context.progress(None, _("Waiting to try %(count)s again") % told)
        _sleep_until(postponed.due)
        self._send(postponed.item, postponed.tries + 1)

    def _send(self, item: Item[Recipient], tries: int) -> None:
        """1. Write the message. 2. Wait for its turn, with a connection. 3. Note for good that it is under way.
        4. Hand it over. 5. Note for good what became of it. From 3 to 5 no interrupt comes between.
        """
        try:
            message = self.letter.compose(item.value)
        except ValueError as error:
            item.fail(_("No message can be written: %(error)s") % {"error": error})
            return
        self._await_turn()
        self.courier.open()
        with self.context.uninterrupted():
            item.begin()
            item.commit()
            try:
                verdict = self.courier.deliver(message, item.key)
            except Fail as failure:
                item.postpone(str(failure))
                item.commit()
                raise
            self._note(item, str(message.subject), verdict, tries)
            item.commit()

    def _await_turn(self) -> None:
        _sleep_until(self.next_turn)
        self.next_turn = max(self.next_turn, time.monotonic()) + self.pause

    def _note(self, item: Item[Recipient], subject: str, verdict: Verdict, tries: int) -> None:
        verdict = replace(verdict, answer=masked_text(verdict.answer))
        detail = {"subject": subject, "at": timezone.now().isoformat(), "answer": verdict.answer}
        if verdict.file:
            detail["file"] = str(verdict.file)
        if verdict.outcome is Outcome.SENT:
            item.done(detail)
            return
        self.context.log(f"{item.key}: {verdict.answer}", "warning" if verdict.outcome is Outcome.LATER else "error")
        if verdict.outcome is Outcome.UNKNOWN:
            item.unknown(verdict.answer, detail)
        elif verdict.outcome is Outcome.LATER and tries <= self.retries:
            item.postpone(verdict.answer)
            due = time.monotonic() + self.retry_after * 2 ** (tries - 1)
            heapq.heappush(self.postponed, Postponed(due, tries, item))
        else:
            item.fail(verdict.answer, detail | {"tries": tries})


def _sleep_until(due: float) -> None:
    if (left := due - time.monotonic()) > 0:
        time.sleep(left)
