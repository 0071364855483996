import logging

from gatepost_services.edge_log import EdgeLog


def test_a_condition_is_logged_when_it_begins_and_when_it_ends(caplog):
    log = EdgeLog(logging.getLogger("test"))
    log.recovered("never failed")
    for attempt in range(3):
        log.failed("broken: %d", attempt)
    assert log.failing
    log.recovered("works: %s", "yes")
    log.recovered("works: %s", "yes")
    assert not log.failing
    assert [record.getMessage() for record in caplog.records] == [
        "broken: 0",
        "works: yes (failed 3 times)",
    ]
