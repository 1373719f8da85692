# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What of the outbox goes up now: little at a time, less while nobody answers, and each mark by
one conductor where several serve a cell.

A mark is first for the conductor that made it: that one was woken by the change. The others take
it only when nothing has moved for ``upload_retry``; who never heard an answer to another's upload
is alone, and takes everything. All of this only saves messages: a mark stays until it is
acknowledged, and who sends it twice does no harm.

Memory: two uploads' worth of marks under way, and at most ``outbox.OWN`` of our own.
"""

from nova_cells.db.cell import outbox as outboxes

AT_ONCE = 2                      # uploads under way: one is applied while the next is made
ALONE = 60.0                     # seconds without a sign of another conductor
MISSED = 5                       # looks after which a mark of our own that is not there is gone
MOST_PATIENT = 16                # times upload_retry, while nothing is acknowledged

Mark = tuple[str, str, int, int]
Key = tuple[str, str]


class Pace:
    """One relay's.  Not thread-safe: the relay has a lock."""

    def __init__(self, outbox: outboxes.Outbox, most: int, retry: float) -> None:
        self._outbox = outbox
        self._most = most
        self._shortest = retry
        self.retry = retry
        # what was sent of a record: epoch, version, when, in which upload
        self._sent: dict[Key, tuple[int, int, float, int]] = {}
        self._seen: dict[Mark, float] = {}       # others' marks, since when
        self._others = float("-inf")             # when an answer came to somebody else's upload

    def choose(self, tx, now: float) -> list[Mark]:  # noqa: ANN001
        """Marks that are not under way at this very version, our own and then the oldest first;
        none while enough uploads are under way."""
        chosen, uploads, late = [], set(), False
        for mark in self._window(tx):
            sent = self._sent.get(mark[:2])
            same = sent is not None and sent[:2] == mark[2:]
            if same and 0 <= now - sent[2] < self.retry:
                uploads.add(sent[3])
            elif len(chosen) < self._most and (sent is not None or self._is_ours(mark, now)):
                chosen.append(mark)
                late = late or same
        if len(uploads) >= (AT_ONCE if self.retry == self._shortest else 1):
            return []
        if late:
            self.retry = min(self.retry * 2, self._shortest * MOST_PATIENT)
        return chosen

    def sent(self, batch: list[Mark], number: int, now: float) -> None:
        """These went up."""
        self._sent = {key: sent for key, sent in self._sent.items()
                      if 0 <= now - sent[2] < self.retry}
        for kind, uuid, epoch, version in batch:
            self._sent[kind, uuid] = (epoch, version, now, number)
            self._outbox.own.pop((kind, uuid), None)

    def answered(self, keys: list[Key], now: float) -> bool:
        """The API cell spoke.  Whether it had been silent."""
        if any(key not in self._sent for key in keys):
            self._others = now
        for key in keys:
            self._sent.pop(key, None)
        silent, self.retry = self.retry > self._shortest, self._shortest
        return silent

    def _window(self, tx) -> list[Mark]:  # noqa: ANN001
        """What may be sent or is under way, each once."""
        oldest = self._outbox.marks(tx, self._most + len(self._sent))
        own = list(self._outbox.own)[:self._most]
        if len(oldest) < self._most and not own:
            return oldest
        known = {mark[:2] for mark in oldest}
        more = [key for key in [*self._sent, *own] if key not in known]
        found = self._outbox.some(tx, more) if more else []
        here = known | {mark[:2] for mark in found}
        for key in own:
            if key not in here:                  # acknowledged by now, or not committed yet
                self._outbox.own[key] = self._outbox.own.get(key, 0) + 1
                if self._outbox.own[key] > MISSED:
                    self._outbox.own.pop(key, None)
        return [*found, *oldest]

    def _is_ours(self, mark: Mark, now: float) -> bool:
        if mark[:2] in self._outbox.own or not 0 <= now - self._others < ALONE:
            return True
        if len(self._seen) > 4 * self._most:
            self._seen.clear()
        since = max(self._seen.setdefault(mark, now), self._others)
        if now - since < self._shortest:
            return False
        self._seen.pop(mark, None)
        return True
