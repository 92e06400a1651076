"""docs/reliability.md: what was tried against payinfra, and what it survived, as `make chaos` kept it."""

from tests.support.chaos.ledger import KINDS, RECORDED, SEED, Ledger, table

_PAGE = """\
# What was survived

`make chaos` strikes an environment on an embedded AWS of its own, at random. The luck is seeded with {seed}:
the same number of a kind is the same blow each time, but for the moment at which a signal arrives.

- **{kill}.** SIGKILL, SIGINT, SIGTERM or SIGHUP at any moment of a command. Survived: a signal ends it
  with exit code 130, unless it had ended or failed by itself; the same command, or `failover-drill
  --restore`, then converges; no fault is left, and both regions serve.
- **{truncation}.** A file that payinfra wrote is cut somewhere, emptied, or overwritten with garbage or
  zeros; then a command reads it. Survived: it works as before, or ends with an exit code and a message
  that say what is wrong; no fault of a drill is hidden, and nothing is made twice.
- **{race}.** Two commands begin within a second of each other, on one environment or on two. Survived:
  one works, and the other works as well or says who does, with exit code 4; on two environments both
  work, but for two drills on one embedded AWS.
- **{sleep}.** All processes of a command and of the embedded AWS stop for up to 20 seconds, and go on.
  Survived: the command ends well, or is a drill that calls itself failed or inconclusive, or did not
  begin; no fault is left.
- **{clock}.** The wall clock of payinfra, of the embedded AWS and of its functions is set back or forward
  by an hour while a command works, and put right after it. Survived: as above, with the clock wrong and
  right.
- **{page}.** A page of another origin in a real browser, beside the embedded AWS: it reads nothing,
  changes nothing and runs nothing.

A blow is in time where the command still works when it is struck. A trial that came too late or was not
survived is struck again by the next run, and counts as it ended last. `make chaos` goes on where the last
run stopped: `make chaos KILLS=100 TRUNCATIONS=200 RACES=56 MINUTES=30` begins no blow after half an hour.
A few of these trials are part of `make test`.

{table}"""


def page() -> str:
    """The page, without the note that it is generated."""
    trials = tuple(Ledger(RECORDED).trials.values())
    words = {kind: f"{name[:1].upper()}{name[1:]}" for kind, name in KINDS.items()}
    return _PAGE.format(seed=SEED, table=table(trials), **words)
