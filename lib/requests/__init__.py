"""Requests: which run now, which were, who asked, how much.

`running.doing(route)` goes round one request; within it

    doing.asks(model, who, key)     it is known who wants what: from here on it is shown
    doing.names(model, who, key)    the same for the log alone, where it may be refused right away
    doing.at(State.LOADING)         what it waits for; `running.at(State.…)` where only the task is
                                    known, `running.find(id)` where only the id is
    doing.hears(progress)           what counts its answer: from its first piece on it is answering
    doing.ends_by(act)              `act` ends it, from any thread; the owner's Stop calls it
    doing.answered(status, code, is_whole)
                                    what the client got; without it, the client has left

`running.stop(id)` and `running.stop_key(key, error)` end requests; `log` has those that are over,
`counts` their sums, `export` both as a file; `content` what was said, where the owner wants that.
"""
