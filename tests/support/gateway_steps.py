"""The gateway's part of a deployment, as a program for a machine of its own.

    python -m tests.support.gateway_steps problems|open|fail|settle|leave [--without-nginx] …

`problems` lists what stands in its way; `open` prepares it and opens the models of all slots;
`fail` does the same and takes it back; `settle` ends what was replaced; `leave` keeps the
`--others` alone.
"""

import argparse
from pathlib import Path

from lib.engines.vllm.places import places
from lib.engines.vllm.units import read_units
from lib.jobs.report import Report
from lib.slots.change import Change
from lib.slots.gateway import phase, switch
from lib.slots.gateway.switch import Gateway
from lib.slots.hands import Hands
from lib.slots.journal import Journal
from lib.slots.request import SlotRequest

JOURNAL = Path("/var/lib/berth/slots/slot-99")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["problems", "open", "fail", "settle", "leave"])
    parser.add_argument("--without-nginx", action="store_true")
    parser.add_argument("--others", default="")
    given = parser.parse_args()
    report, journal = Report(), Journal(JOURNAL)
    gateway = Gateway(places(), with_litellm=True, with_nginx=not given.without_nginx)
    change = Change(journal, report)
    if given.what == "problems":
        request = SlotRequest(model="acme/anvil", slot=50, with_nginx=not given.without_nginx)
        for problem in phase.gateway_problems(request, places()):
            print(problem)
    elif given.what == "leave":
        kept = {int(slot) for slot in given.others.split(",") if slot}
        hands = Hands(report, is_rehearsal=False)
        units = [unit for unit in read_units(places()) if unit.slot in kept]
        switch.leave(places(), units, hands, report)
        assert not hands.problems, hands.problems
    elif given.what == "settle":
        switch.settle(gateway, change, report)
        journal.close()
    else:
        switch.prepare(gateway, change, report)
        switch.open_models(gateway, change, report)
        if given.what == "fail":
            problems = change.undo()
            assert not problems, problems


if __name__ == "__main__":
    main()
